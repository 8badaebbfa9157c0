package report

import (
	"fmt"
	"math"
	"strings"
)

// Places of a plot, in its own units: CSS makes it as wide as the page has room.
const (
	plotWidth, plotHeight                   = 640.0, 250.0
	leftEdge, rightEdge, topEdge, floorEdge = 64.0, 612.0, 12.0, 208.0
)

// plot is a diagram with all its places, for the template.
type plot struct {
	Title          string
	XTitle, YTitle string
	X, Y           []tick
	Window         *box // what was measured
	Lines          []line
	Bars           []box
	Marks          []mark // upright lines
	Hover          []box  // tells the values
}

// line is one series. Its place in a plot chooses its colour and dashes.
type line struct {
	Name, Path string
}

// mark is an upright line whose label stands beside it.
type mark struct {
	X, LabelX, LabelY float64
	Anchor, Label     string
}

const labelWidth = 90

func newMark(i int, x float64, label string) mark {
	m := mark{x, x + 3, topEdge + 10 + 12*float64(i), "start", label}
	if x > rightEdge-labelWidth {
		m.LabelX, m.Anchor = x-3, "end"
	}
	return m
}

// box is a rectangle with a text that is shown where the pointer rests.
type box struct {
	X, Y, Width, Height float64
	Label               string
}

func (plot) Width() float64  { return plotWidth }
func (plot) Height() float64 { return plotHeight }
func (plot) Left() float64   { return leftEdge }
func (plot) Right() float64  { return rightEdge }
func (plot) Top() float64    { return topEdge }
func (plot) Floor() float64  { return floorEdge }

// TickEnd is where the marks of the lower axis end.
func (plot) TickEnd() float64 { return floorEdge + 4 }

// curve is a series of values over time; NaN is none.
type curve struct {
	name   string
	values []float64
}

// overTime draws curves. times are the middles of the intervals; window is what was measured, empty if nothing was.
func overTime(title, yTitle string, s span, curves []curve, log bool, label func(float64) string) plot {
	x, unit := clock(s.end, leftEdge, rightEdge)
	least, most := math.Inf(1), 0.0
	for _, c := range curves {
		for _, v := range c.values {
			if !math.IsNaN(v) {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	y := linear(most, floorEdge, topEdge, label)
	if log && most > 0 {
		y = logarithmic(max(least, 1), max(most, 1), floorEdge, topEdge, label)
	}
	p := plot{Title: title, XTitle: "time since the first connection (" + unit + ")", YTitle: yTitle, X: x.ticks, Y: y.ticks}
	if s.window[1] > s.window[0] {
		from := x.at(s.window[0])
		p.Window = &box{X: from, Y: topEdge, Width: round(x.at(s.window[1]) - from), Height: floorEdge - topEdge, Label: "measured"}
	}
	for _, c := range curves {
		p.Lines = append(p.Lines, line{c.name, path(s, c.values, x, y)})
	}
	for i, t := range s.times {
		texts := []string{}
		for _, c := range curves {
			if v := c.values[i]; !math.IsNaN(v) {
				texts = append(texts, c.name+" "+label(v))
			}
		}
		if len(texts) == 0 {
			continue
		}
		from, to := x.at(t-s.width/2), x.at(t+s.width/2)
		p.Hover = append(p.Hover, box{from, topEdge, round(to - from), floorEdge - topEdge, "at " + seconds(t-s.width/2) + ": " + strings.Join(texts, ", ")})
	}
	return p
}

// span is the time axis that the plots of a report share, in seconds.
type span struct {
	times  []float64 // middles of the intervals
	width  float64   // of an interval
	end    float64
	window [2]float64 // measured
}

// path connects neighbours; a value without any is a dash as wide as its interval.
func path(s span, values []float64, x, y axis) string {
	var out strings.Builder
	pen := false
	for i, v := range values {
		if math.IsNaN(v) {
			pen = false
			continue
		}
		t := s.times[i]
		switch next := i + 1; {
		case pen:
			fmt.Fprintf(&out, "L%g %g", x.at(t), y.at(v))
		case next == len(values) || math.IsNaN(values[next]):
			fmt.Fprintf(&out, "M%g %gH%g", x.at(t-s.width/2), y.at(v), x.at(t+s.width/2))
		default:
			fmt.Fprintf(&out, "M%g %g", x.at(t), y.at(v))
		}
		pen = true
	}
	return out.String()
}
