package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// axis maps values to places of a plot. The zero value maps everything to 0.
type axis struct {
	least, most float64 // values
	from, to    float64 // their places; from > to on the way up
	log         bool
	ticks       []tick
}

// tick is a labelled place of an axis.
type tick struct {
	At    float64
	Label string
}

// at is the place of a value. What lies outside is put at the end.
func (a axis) at(v float64) float64 {
	least, most, v := a.least, a.most, min(max(v, a.least), a.most)
	if a.log {
		least, most, v = math.Log10(least), math.Log10(most), math.Log10(v)
	}
	if most <= least {
		return a.from
	}
	return round(a.from + (v-least)/(most-least)*(a.to-a.from))
}

// round keeps a tenth of a pixel.
func round(v float64) float64 { return math.Round(v*10) / 10 }

func (a axis) with(values []float64, label func(float64) string) axis {
	for _, v := range values {
		a.ticks = append(a.ticks, tick{a.at(v), label(v)})
	}
	return a
}

const linearTicks = 5

// linear reaches from 0 to a round number above most.
func linear(most, from, to float64, label func(float64) string) axis {
	if most <= 0 {
		most = 1
	}
	step := above(most / linearTicks)
	a := axis{most: math.Ceil(most/step-1e-9) * step, from: from, to: to}
	var values []float64
	for i := 0; float64(i)*step <= a.most*(1+1e-9); i++ {
		values = append(values, float64(i)*step)
	}
	return a.with(values, label)
}

// logarithmic reaches over whole parts of decades. least must be positive.
func logarithmic(least, most, from, to float64, label func(float64) string) axis {
	a := axis{least: below(least), most: above(most), from: from, to: to, log: true}
	if a.most <= a.least {
		a.most = above(a.least * 1.01)
	}
	parts := []float64{1, 2, 5}
	if a.most/a.least > 500 {
		parts = parts[:1]
	}
	var values []float64
	for e := math.Floor(math.Log10(a.least)); e <= math.Ceil(math.Log10(a.most)); e++ {
		for _, p := range parts {
			if v := p * math.Pow(10, e); v >= a.least*(1-1e-9) && v <= a.most*(1+1e-9) {
				values = append(values, v)
			}
		}
	}
	return a.with(values, label)
}

// above is the least of 1, 2 and 5 times a power of ten that is not below v.
func above(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, p := range []float64{1, 2, 5} {
		if p*decade >= v*(1-1e-9) {
			return p * decade
		}
	}
	return 10 * decade
}

// below is the greatest of them that is not above v.
func below(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, p := range []float64{5, 2} {
		if p*decade <= v*(1+1e-9) {
			return p * decade
		}
	}
	return decade
}

const timeTicks = 10

// clock reaches from 0 to most seconds; unit is what its labels count.
func clock(most, from, to float64) (a axis, unit string) {
	a = axis{most: max(most, 1), from: from, to: to}
	step := 86400.0
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600} {
		if a.most/s <= timeTicks {
			step = s
			break
		}
	}
	per := 1.0
	unit = "s"
	switch {
	case step >= 3600:
		per, unit = 3600, "h"
	case step >= 60:
		per, unit = 60, "min"
	}
	var values []float64
	for v := 0.0; v <= a.most; v += step {
		values = append(values, v)
	}
	return a.with(values, func(v float64) string { return plain(v / per) }), unit
}

// plain writes a number with four digits at the most.
func plain(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// number writes a count short: 20 k, 1.5 M.
func number(v float64) string {
	switch {
	case v >= 1e9:
		return plain(v/1e9) + " G"
	case v >= 1e6:
		return plain(v/1e6) + " M"
	case v >= 1e4:
		return plain(v/1e3) + " k"
	}
	return plain(v)
}

// grouped writes a count in full, in groups of three digits.
func grouped[N int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	var out strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			out.WriteRune('\u202f') // a narrow space that doesn't break
		}
		out.WriteRune(digit)
	}
	return out.String()
}

// latency writes microseconds.
func latency(micros float64) string {
	switch {
	case micros >= 1e6:
		return short(micros/1e6) + " s"
	case micros >= 1e3:
		return short(micros/1e3) + " ms"
	}
	return short(micros) + " µs"
}

// short has three digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// mebibytes writes memory.
func mebibytes(n float64) string { return strconv.FormatFloat(n, 'f', 0, 64) + " MiB" }

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
