package limit

import (
	"testing"

	"pgregory.net/rapid"
)

// Whoever comes and goes: there are never too many, nobody is refused while there is room, and nothing is kept of who has left.
func TestCrowd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const all, each = 7, 3
		c := NewCrowd[int](all, each)
		inside := map[int]int{}
		n := 0
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			key := rapid.IntRange(1, 4).Draw(t, "key")
			if inside[key] > 0 && rapid.Bool().Draw(t, "leaves") {
				c.Leave(key)
				inside[key]--
				n--
				continue
			}
			want := Entered
			switch {
			case n >= all:
				want = Full
			case inside[key] >= each:
				want = TooMany
			default:
				inside[key]++
				n++
			}
			if got := c.Enter(key); got != want || c.Inside() != n {
				t.Fatalf("%v, want %v; %d are inside, want %d", got, want, c.Inside(), n)
			}
		}
		for key, k := range inside {
			for range k {
				c.Leave(key)
			}
		}
		if c.Inside() != 0 || len(c.of) != 0 {
			t.Fatalf("left: %+v", c.of)
		}
	})
}
