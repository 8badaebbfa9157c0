package gateway

import "sync"

// crew does jobs in their order, a few at the same time. What waits has no goroutine. How much may wait is for those to bound who give it.
type crew struct {
	most  int
	start func(func()) // begins a goroutine

	mu      sync.Mutex // guards all below
	working int
	waiting []func()
}

// do has a job done.
func (c *crew) do(job func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working >= c.most {
		c.waiting = append(c.waiting, job)
		return
	}
	c.working++
	c.start(func() {
		for ; job != nil; job = c.next() {
			job()
		}
	})
}

// next is the job that has waited longest; nil: none waits, and the place is given up.
func (c *crew) next() (job func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.working--
		c.waiting = nil
		return nil
	}
	job, c.waiting[0] = c.waiting[0], nil
	c.waiting = c.waiting[1:]
	return job
}
