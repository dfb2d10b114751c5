package configs

import (
	"fmt"
	"slices"
)

// BasisBuiltin names the projection that is part of the programs: fr_feature's.
const BasisBuiltin = "builtin"

// Recognise is what a feature model is beside its input: all that tells it
// from another one.
type Recognise struct {
	Output     string        `yaml:"output"`    // the output to read; empty for the network's last
	Dimension  int           `yaml:"dimension"` // values of the embedding
	Align      [][]float64   `yaml:"align"`     // where left eye, right eye, nose tip, left and right corner of the mouth lie in the input, pixels
	Reference  ReferenceForm `yaml:"reference"`
	Norm       NormLimits    `yaml:"norm"` // absent where the embedding's length tells nothing about quality
	Thresholds ScoreLimits   `yaml:"thresholds"`
}

// ReferenceForm is what is kept of an embedding: a byte for each value.
type ReferenceForm struct {
	Size  int    `yaml:"size"`  // bytes
	Basis string `yaml:"basis"` // builtin, or the name of a file with use: basis; empty keeps all values
}

// NormLimits are the least lengths of an embedding.
type NormLimits struct {
	Probe float64 `yaml:"probe"` // of a frame at the gate
	Enrol float64 `yaml:"enrol"` // of a photograph that becomes a reference
}

// ScoreLimits are the cosine scores of a feature model that decide a match.
type ScoreLimits struct {
	Reject  float64  `yaml:"reject"`   // below: somebody else
	TooGood float64  `yaml:"too_good"` // above: not a second photograph of a living face
	Accept  []Accept `yaml:"accept"`
}

// Accept is the least score of a match for a probe of so many frames.
type Accept struct {
	Frames int     `yaml:"frames"` // 1, or 3 for two and more
	FMR    float64 `yaml:"fmr"`    // 1e-3 to 1e-6
	Score  float64 `yaml:"score"`
}

// Basis returns the file of a feature model's projection; false when it has
// none, or the one built in.
func (m *Models) Basis(f Model) (Model, bool) {
	name := f.Recognise.Reference.Basis
	i := slices.IndexFunc(m.Models, func(b Model) bool { return b.Use == UseBasis && b.Name == name && name != BasisBuiltin })
	if i < 0 {
		return Model{}, false
	}
	return m.Models[i], true
}

// needed says whether a gate with this manifest reads the file: not that of a
// recogniser that is not in use, nor its projection.
func (m *Models) needed(f Model) bool {
	used, _ := m.ByUse(UseFeature)
	switch f.Use {
	case UseFeature:
		return f.Name == used.Name
	case UseBasis:
		return f.Name == used.Recognise.Reference.Basis
	default:
		return true
	}
}

func checkRecognisers(m *Models, d *document) {
	for i, f := range m.Models {
		if f.Use == UseFeature {
			m.checkRecognise(fmt.Sprintf("models[%d].recognise", i), f, d)
		}
	}
	if _, ok := m.ByUse(UseFeature); !ok && d.filled("recogniser", m.Recogniser) && !d.broken("models") {
		d.fault("recogniser", "is not the name of a model with use: feature", "name the one that the gate recognises faces with")
	}
}

func (m *Models) checkRecognise(path string, f Model, d *document) {
	r := f.Recognise
	if len(r.Output) > 100 {
		d.fault(path+".output", "is longer than 100 bytes", "the name of an output of the network")
	}
	between(d, path+".dimension", r.Dimension, 16, 1024)
	if len(r.Align) != 5 && !d.broken(path+".align") {
		d.fault(path+".align", "has not five points", "[x, y] of left eye, right eye, nose tip, left and right corner of the mouth")
	}
	for i, p := range r.Align {
		at := fmt.Sprintf("%s.align[%d]", path, i)
		switch {
		case d.broken(at):
		case len(p) != 2:
			d.fault(at, "is not a point", "[x, y] in pixels of the input")
		default:
			between(d, at+"[0]", p[0], 0, float64(f.Input.Width))
			between(d, at+"[1]", p[1], 0, float64(f.Input.Height))
		}
	}
	m.checkReference(path+".reference", r, f, d)
	if r.Norm != (NormLimits{}) {
		between(d, path+".norm.probe", r.Norm.Probe, 1e-3, 1e4)
		between(d, path+".norm.enrol", r.Norm.Enrol, r.Norm.Probe, 1e4)
	}
	checkLimits(path+".thresholds", r.Thresholds, d)
}

func (m *Models) checkReference(path string, r Recognise, f Model, d *document) {
	between(d, path+".size", r.Reference.Size, 16, r.Dimension)
	b, ok := m.Basis(f)
	switch basis := r.Reference.Basis; {
	case d.broken(path) || d.broken(path+".size") || r.Dimension < 16 || r.Dimension > 1024 || d.broken(path+".basis"):
	case basis == "" && r.Reference.Size != r.Dimension:
		d.fault(path+".size", "is not the embedding's dimension", "without a basis all values are kept")
	case basis == BasisBuiltin && (r.Dimension != 512 || r.Reference.Size != 160):
		d.fault(path+".basis", "does not fit the size", "the projection built in makes 160 values of 512")
	case basis != "" && basis != BasisBuiltin && !ok:
		d.fault(path+".basis", "is not the name of a file with use: basis", "builtin, such a name, or nothing to keep all values")
	case ok && b.Bytes != int64(4*r.Dimension*r.Reference.Size):
		d.fault(path+".basis", "does not fit the size", fmt.Sprintf("a file of %d rows of %d float32", r.Dimension, r.Reference.Size))
	}
}

func checkLimits(at string, l ScoreLimits, d *document) {
	between(d, at+".reject", l.Reject, 0.01, 0.99)
	between(d, at+".too_good", l.TooGood, 0.9, 1)
	for i, a := range l.Accept {
		path := fmt.Sprintf("%s.accept[%d]", at, i)
		oneOfNumbers(d, path+".frames", a.Frames, 1, 3)
		oneOfNumbers(d, path+".fmr", a.FMR, 1e-3, 1e-4, 1e-5, 1e-6)
		between(d, path+".score", a.Score, 0.05, 0.99)
		for _, b := range l.Accept[:i] {
			if a.Frames != b.Frames || d.broken(path) {
				continue
			}
			if a.FMR == b.FMR {
				d.fault(path, "repeats a rate of the same number of frames", "")
			} else if (a.FMR < b.FMR) != (a.Score > b.Score) {
				d.fault(path+".score", "does not rise as the rate falls", "a rarer false match asks for a higher score")
			}
		}
	}
	for _, frames := range []int{1, 3} {
		if !slices.ContainsFunc(l.Accept, func(a Accept) bool { return a.Frames == frames }) && !d.broken(at) && !d.broken(at+".accept") {
			d.fault(at+".accept", fmt.Sprintf("has no score for frames: %d", frames), "a list of {frames: 1, fmr: 1e-4, score: 0.411}")
		}
	}
}
