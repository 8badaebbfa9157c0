package scrape

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

const page = `# HELP reads_total Reads.
# TYPE reads_total counter
reads_total{service="chat"} 12
reads_total{service="identity"} 3.5e+01
reads_total_more 7
writes_total 4
broken_total{} x
`

func TestSum(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, page)
	}))
	defer s.Close()
	for counter, want := range map[string]float64{"reads_total": 94, "writes_total": 8} {
		if v, err := Sum(t.Context(), []string{s.URL + "/metrics", s.URL + "/metrics"}, counter); v != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", counter, v, err, want)
		}
	}
	for _, x := range [][2]string{{"/metrics", "reads"}, {"/metrics", "broken_total"}, {"/elsewhere", "reads_total"}} {
		if v, err := Sum(t.Context(), []string{s.URL + x[0]}, x[1]); err == nil {
			t.Errorf("%v: %v", x, v)
		}
	}
	s.Close()
	if _, err := Sum(t.Context(), []string{s.URL + "/metrics"}, "reads_total"); err == nil {
		t.Error("nobody answered, and that was no error")
	}
}
