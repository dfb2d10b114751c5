package pad

import (
	"fmt"
	"io"
	"math"
	"slices"

	"bordergate/biometrics"
)

// Rate is a share with its 95 % limits after Wilson.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func newRate(k, n int) Rate {
	r := Rate{Count: k, Of: n, High: 1}
	if n == 0 {
		return r
	}
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	r.Share, r.Low, r.High = p, max(0, mid-half), min(1, mid+half)
	return r
}

// Kind is what came of the attacks of one kind: a medium, or one of its
// devices.
type Kind struct {
	Name string `json:"name"`
	// APCER is the share taken for live.
	APCER Rate `json:"apcer"`
	// Undecided were referred without being called attacks.
	Undecided int `json:"undecided"`
	// Cues tells how many each cue caught, whatever the others said; Only how
	// many it alone caught.
	Cues map[string]int `json:"cues"`
	Only map[string]int `json:"only"`
}

// Calibration tells where the threshold was set.
type Calibration struct {
	Seed      uint64   `json:"seed"`
	Users     int      `json:"users"`
	People    int      `json:"people"`
	BPCER     float64  `json:"bpcer"`
	Rejected  int      `json:"rejected"`
	Threshold float64  `json:"threshold"`
	Devices   []string `json:"devices_kept_away"` // of the half that is not tried; no attack was looked at
}

// Report is a whole trial.
type Report struct {
	Simulated   bool        `json:"simulated"`
	Generator   string      `json:"generator_only"`
	Seed        uint64      `json:"seed"`
	People      int         `json:"people"`
	Source      string      `json:"source"`
	Devices     []string    `json:"devices"`
	Door        bool        `json:"door_behind"`
	Version     string      `json:"liveness_version"`
	Calibration Calibration `json:"calibration"`
	BPCER       Rate        `json:"bpcer"`
	// QualityRejected is the share of live frames that the quality gate
	// rejected, by hint in QualityHints.
	QualityRejected Rate           `json:"quality_rejected"`
	QualityHints    map[string]int `json:"quality_hints"`
	Media           []Kind         `json:"media"`
	Kinds           []Kind         `json:"kinds"`
	Streams         []Line         `json:"streams"`
	Seconds         float64        `json:"seconds"`
	OK              bool           `json:"ok"`
}

// most is what each rate may be.
const (
	mostErrors   = 0.05
	mostRejected = 0.06
)

// Line is one stream.
type Line struct {
	Kind     string              `json:"kind"`
	Device   string              `json:"device,omitempty"`
	Who      string              `json:"who"`
	Verdict  biometrics.Liveness `json:"verdict"`
	Value    *float64            `json:"value"` // the median; null without a usable frame
	Scored   int                 `json:"scored"`
	Frames   int                 `json:"frames"`
	Rejected int                 `json:"rejected"`
	Cues     []string            `json:"cues"`
}

func newLine(x Result, cues []string) Line {
	l := Line{
		Kind: x.Stream.Kind, Device: x.Stream.Device.Name, Who: x.Stream.Who.ID, Verdict: x.Verdict, Scored: x.Session.N(),
		Frames: x.Frames, Rejected: x.Rejected, Cues: cues,
	}
	if m := x.Session.Median(); l.Scored > 0 {
		l.Value = &m
	}
	return l
}

// add puts a result into the report.
func (r *Report) add(x Result, rule biometrics.LivenessRule) {
	cues := caught(x, rule)
	r.Streams = append(r.Streams, newLine(x, cues))
	if x.Stream.Kind == Live {
		ok := 1
		if x.Verdict == biometrics.LivenessLive {
			ok = 0
		}
		r.BPCER.Count, r.BPCER.Of = r.BPCER.Count+ok, r.BPCER.Of+1
		r.QualityRejected.Count, r.QualityRejected.Of = r.QualityRejected.Count+x.Rejected, r.QualityRejected.Of+x.Frames
		for h, n := range x.Hints {
			r.QualityHints[string(h)] += n
		}
		return
	}
	kindOf(&r.Media, x.Stream.Kind).add(x, cues)
	kindOf(&r.Kinds, x.Stream.Kind+" "+x.Stream.Device.Kind).add(x, cues)
}

func kindOf(list *[]Kind, name string) *Kind {
	i := slices.IndexFunc(*list, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		*list = append(*list, Kind{Name: name, Cues: map[string]int{}, Only: map[string]int{}})
		i = len(*list) - 1
	}
	return &(*list)[i]
}

func (k *Kind) add(x Result, cues []string) {
	k.APCER.Of++
	switch x.Verdict {
	case biometrics.LivenessLive:
		k.APCER.Count++
		return
	case biometrics.LivenessUndecided:
		k.Undecided++
	}
	for _, c := range cues {
		k.Cues[c]++
	}
	if len(cues) == 1 {
		k.Only[cues[0]]++
	}
}

// Words for what is no cue of the rule.
const (
	cueSecond  = "second_face"
	cueQuality = "quality"
	cueSum     = "sum" // neither network nor lines alone, but both together
)

// caught lists what spoke against a stream.
func caught(x Result, rule biometrics.LivenessRule) []string {
	var out []string
	if x.Hints[biometrics.HintOnePerson]*2 > x.Frames {
		out = append(out, cueSecond)
	}
	if x.Session.N() < rule.MinFrames {
		if len(out) == 0 {
			out = append(out, cueQuality)
		}
		return out
	}
	for _, c := range x.Session.Cues(rule) {
		out = append(out, string(c))
	}
	if len(out) == 0 && x.Verdict != biometrics.LivenessLive {
		out = append(out, cueSum)
	}
	return out
}

// finish computes the shares.
func (r *Report) finish() {
	r.BPCER = newRate(r.BPCER.Count, r.BPCER.Of)
	r.QualityRejected = newRate(r.QualityRejected.Count, r.QualityRejected.Of)
	r.OK = r.BPCER.Of > 0 && r.BPCER.Share <= mostErrors && r.QualityRejected.Share <= mostRejected
	for _, list := range [][]Kind{r.Media, r.Kinds} {
		for i := range list {
			list[i].APCER = newRate(list[i].APCER.Count, list[i].APCER.Of)
		}
	}
	for _, k := range r.Media {
		r.OK = r.OK && k.APCER.Share <= mostErrors
	}
}

// Text prints the report for people.
func (r *Report) Text(w io.Writer) {
	fmt.Fprintf(w, "generator only: %s\n", r.Generator)
	c := r.Calibration
	fmt.Fprintf(w, "threshold %.2f set on %d live streams of %d people, seed %d, at a BPCER of %g: %d rejected\n", c.Threshold, c.Users, c.People, c.Seed, c.BPCER, c.Rejected)
	fmt.Fprintf(w, "tried on %d other people (%s), %d other devices, seed %d; %s; %.0f s\n\n", r.People, r.Source, len(r.Devices), r.Seed, r.Version, r.Seconds)
	line := func(name string, x Rate) {
		fmt.Fprintf(w, "%-18s %6.2f %%  (%d of %d; 95 %%: %.2f to %.2f)", name, 100*x.Share, x.Count, x.Of, 100*x.Low, 100*x.High)
	}
	line("BPCER", r.BPCER)
	fmt.Fprintln(w)
	line("quality rejects", r.QualityRejected)
	fmt.Fprintf(w, " %v\n", r.QualityHints)
	for _, k := range append(slices.Clone(r.Media), r.Kinds...) {
		line("APCER "+k.Name, k.APCER)
		fmt.Fprintf(w, " undecided %d, caught by %v, by one cue only %v\n", k.Undecided, k.Cues, k.Only)
	}
}
