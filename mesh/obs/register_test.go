package obs

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRegister(t *testing.T) {
	r := prometheus.NewRegistry()
	counter := func(help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "x", Help: help})
	}
	first, second, alone := counter("a"), counter("a"), counter("a")
	if Register(r, &first) != nil || Register(r, &second) != nil || first != second {
		t.Error("two parts that count the same count apart")
	}
	if Register(nil, &alone) != nil || alone == first {
		t.Error("a collector without a registerer was replaced")
	}
	other := counter("b")
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x", Help: "a"})
	if Register(r, &other) == nil || Register(r, &gauge) == nil {
		t.Error("another metric of the same name was accepted")
	}
}
