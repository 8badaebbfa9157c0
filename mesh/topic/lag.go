package topic

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lag is how far a follower is behind, as far as it knows: what it has got and not applied yet, and streams that broke off.
type lag struct {
	mu    sync.Mutex // guards parts
	parts [Partitions]behind
}

// behind is one partition's lag; the zero value is none.
type behind struct {
	since     time.Time // of the oldest record that isn't applied, or when the stream broke off
	positions uint64
}

// note tells of a lag; of several the oldest counts, until it is cleared.
func (l *lag) note(number uint32, since time.Time, positions uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[number]
	if p.since.IsZero() || since.Before(p.since) {
		p.since = since
	}
	p.positions = max(p.positions, positions)
}

func (l *lag) clear(number uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[number] = behind{}
}

// most returns the greatest lags of all partitions.
func (l *lag) most(now time.Time) (age time.Duration, positions uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.parts {
		if !p.since.IsZero() {
			age = max(age, now.Sub(p.since))
		}
		positions = max(positions, p.positions)
	}
	return age, positions
}

func (l *lag) register(r prometheus.Registerer, cfg FollowerConfig) {
	if r == nil {
		return
	}
	labels := prometheus.Labels{"service": cfg.Service, "follower": cfg.Name}
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "plenum_topic_follower_seconds", ConstLabels: labels,
			Help: "Age of the oldest event that the follower has not applied, or since when it can't follow: the worst of its partitions.",
		}, func() float64 { age, _ := l.most(time.Now()); return age.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "plenum_topic_follower_positions", ConstLabels: labels,
			Help: "Positions of a partition that the follower has not applied, when it last heard of them: the worst of its partitions.",
		}, func() float64 { _, n := l.most(time.Now()); return float64(n) }),
	)
}
