package evaluate

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// WriteDET writes every series' points of the detection error trade-off as CSV.
func (r Result) WriteDET(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "series,threshold,fmr,fnmr")
	for i := range r.Series {
		for _, p := range r.Series[i].sweep() {
			fmt.Fprintf(b, "%q,%.5f,%.3g,%.5g\n", r.Series[i].Name, p.Threshold, p.FMR.Rate, p.FNMR.Rate)
		}
	}
	return b.Flush()
}

// Frame and range of the plot: both axes are normal deviates, as DET curves are drawn.
const (
	plotLeft, plotTop     = 80.0, 20.0
	plotWidth, plotHeight = 620.0, 460.0
	leastFMR, mostFMR     = 1e-6, 0.2
	leastFNMR, mostFNMR   = 5e-4, 0.2
)

var colours = []string{"#0b3d91", "#c0392b", "#1e8449", "#7d3c98", "#b9770e", "#117a65", "#5d6d7e"}

// WriteSVG draws every series' detection error trade-off.
func (r Result) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`+"\n",
		plotLeft+plotWidth+20, plotTop+plotHeight+60+18*float64(len(r.Series)))
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	for _, v := range []float64{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1} {
		grid(b, plotX(v), plotTop, plotX(v), plotTop+plotHeight)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%g</text>`+"\n", plotX(v), plotTop+plotHeight+16, v)
	}
	for _, v := range []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2} {
		grid(b, plotLeft, plotY(v), plotLeft+plotWidth, plotY(v))
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="end">%g %%</text>`+"\n", plotLeft-6, plotY(v)+4, 100*v)
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">false match rate</text>`+"\n", plotLeft+plotWidth/2, plotTop+plotHeight+36)
	fmt.Fprintf(b, `<text transform="translate(16 %g) rotate(-90)" text-anchor="middle">false non-match rate</text>`+"\n", plotTop+plotHeight/2)
	for i := range r.Series {
		s, colour := &r.Series[i], colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.6" points="%s"/>`+"\n", colour, s.line())
		y := plotTop + plotHeight + 56 + 18*float64(i)
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="22" height="3" fill="%s"/><text x="%g" y="%g">%s</text>`+"\n",
			plotLeft, y-5, colour, plotLeft+30, y, escape.Replace(s.Name))
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func grid(w io.Writer, x1, y1, x2, y2 float64) {
	fmt.Fprintf(w, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", x1, y1, x2, y2)
}

// line is the part of the curve that lies in the plot.
func (s *Series) line() string {
	var out []string
	for _, p := range s.sweep() {
		x, y := p.FMR.Rate, p.FNMR.Rate
		if x >= leastFMR && x <= mostFMR && y >= leastFNMR && y <= mostFNMR {
			out = append(out, fmt.Sprintf("%.1f,%.1f", plotX(x), plotY(y)))
		}
	}
	return strings.Join(out, " ")
}

func plotX(v float64) float64 {
	return plotLeft + plotWidth*(deviate(v)-deviate(leastFMR))/(deviate(mostFMR)-deviate(leastFMR))
}

func plotY(v float64) float64 {
	return plotTop + plotHeight*(deviate(mostFNMR)-deviate(v))/(deviate(mostFNMR)-deviate(leastFNMR))
}

// deviate is the normal deviate of a share.
func deviate(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// Print writes the result for people.
func (r Result) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "failure to acquire %s\n", r.FTA)
	for _, s := range r.Series {
		fmt.Fprintf(b, "\n%s: %d genuine, %d impostor comparisons\n", s.Name, s.Genuine, s.Impostors)
		if g := s.Gate; g != nil {
			fmt.Fprintf(b, "  rejected as probe %s\n  rejected as reference %s\n  genuine pairs rejected %s\n", g.AsProbe, g.AsReference, g.Genuine)
			for _, hint := range slices.Sorted(maps.Keys(g.Why)) {
				fmt.Fprintf(b, "    as probe for %s: %d\n", hint, g.Why[hint])
			}
		}
		for _, p := range s.Fixed {
			fmt.Fprintf(b, "  FMR %-6g threshold %.4f  FNMR %s, %d false matches\n", p.Wanted, p.Threshold, p.FNMR, p.Hits)
		}
		for _, p := range s.Manifest {
			fmt.Fprintf(b, "  manifest's %-6g at %.4f  FMR %.3g (%d of %d, %.3g to %.3g)  FNMR %s\n",
				p.Wanted, p.Threshold, p.FMR.Rate, p.FMR.Count, p.FMR.Of, p.FMR.Low, p.FMR.High, p.FNMR)
		}
	}
	if len(r.Series) > 1 && len(r.Series[0].Fixed) == len(r.Series[1].Fixed) {
		fmt.Fprintln(b, "\ncost of the short reference")
		for i, p := range r.Series[0].Fixed {
			fmt.Fprintf(b, "  FMR %-6g %+.3f points of FNMR\n", p.Wanted, 100*(p.FNMR.Rate-r.Series[1].Fixed[i].FNMR.Rate))
		}
	}
	if len(r.Bins) > 0 {
		fmt.Fprintf(b, "\nby the smaller norm of the pair, at the manifest's threshold for %g\n", r.BinFMR)
	}
	for _, bin := range r.Bins {
		to := "up"
		if bin.To > 0 {
			to = fmt.Sprintf("%.1f", bin.To)
		}
		fmt.Fprintf(b, "  %.1f to %-4s FNMR %s  FMR %.3g (%d of %d)\n", bin.From, to, bin.FNMR, bin.FMR.Rate, bin.FMR.Count, bin.FMR.Of)
	}
	return b.Flush()
}

// String is the rate in percent with its limits.
func (r Rate) String() string {
	return fmt.Sprintf("%.3f %% (%d of %d, 95 %% limits %.3f to %.3f %%)", 100*r.Rate, r.Count, r.Of, 100*r.Low, 100*r.High)
}
