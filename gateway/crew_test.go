package gateway

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Jobs are done in their order, no more than a few at the same time, and none is left.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		c := crew{most: 3, start: wg.Go}
		var mu sync.Mutex
		var began []int
		inside, most := 0, 0
		for i := range 20 {
			c.do(func() {
				mu.Lock()
				began = append(began, i)
				inside++
				most = max(most, inside)
				mu.Unlock()
				time.Sleep(time.Duration(i+1) * time.Second)
				mu.Lock()
				inside--
				mu.Unlock()
			})
			synctest.Wait()
		}
		wg.Wait()
		if most != 3 || len(began) != 20 || c.working != 0 {
			t.Errorf("%d at the same time, %d of 20 done, %d at work", most, len(began), c.working)
		}
		for i, n := range began {
			if i != n {
				t.Errorf("began as %v", began)
				break
			}
		}
	})
}
