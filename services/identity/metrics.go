package identity

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"plenum.internal/mesh/obs"
	"plenum.internal/services/identity/password"
)

// metrics count what operators watch for attacks.
type metrics struct{ signIns, refreshes, refusals *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer, h *password.Hasher) (metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plenum_identity_" + name, Help: help}, []string{label})
	}
	m := metrics{
		signIns:   counter("sign_ins_total", "Sessions begun, and sign-ins by password refused: ok, refused.", "result"),
		refreshes: counter("refreshes_total", "Refreshes, by result: rotated, repeated (within the grace), ended, reused (theft), forged.", "result"),
		refusals:  counter("too_many_attempts_total", "Attempts refused unseen, by whose limit: account, address.", "limit"),
	}
	hashes := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "plenum_identity_password_hashes_total", Help: "Passwords hashed.",
	}, func() float64 { return float64(h.Hashes()) })
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plenum_identity_password_waiting", Help: "Callers that wait for a password to be hashed.",
	}, func() float64 { return float64(h.Waiting()) })
	return m, errors.Join(
		obs.Register(r, &m.signIns), obs.Register(r, &m.refreshes), obs.Register(r, &m.refusals), obs.Register(r, &hashes), obs.Register(r, &waiting),
	)
}

func (m metrics) signIn(result string)  { m.signIns.WithLabelValues(result).Inc() }
func (m metrics) refresh(result string) { m.refreshes.WithLabelValues(result).Inc() }
func (m metrics) refused(limit string)  { m.refusals.WithLabelValues(limit).Inc() }
