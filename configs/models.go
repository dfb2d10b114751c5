package configs

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// The uses of a file in a model manifest.
const (
	UseDetect        = "detect"
	UseLandmark      = "landmark"
	UseFeature       = "feature"
	UseLiveness      = "liveness"
	UseBasis         = "basis"         // a recogniser's projection: dimension rows of float32, little-endian
	UseDemonstration = "demonstration" // a face photograph for the demonstration, not a model
)

// Models is a manifest of model files: where each comes from, what it must
// hash to, how its input is made and which scores it accepts. A file whose
// hash is not the manifest's is never used. Several recognisers may stand in
// it, each with all that is its own; one of them is in use.
type Models struct {
	Version    int      `yaml:"version"`    // 1
	Recogniser string   `yaml:"recogniser"` // name of the feature model in use
	Sources    []Source `yaml:"sources"`
	Models     []Model  `yaml:"models"`
	// Liveness bounds the per-camera calibration; it has a default.
	Liveness LivenessLimits `yaml:"liveness"`
}

// Source is a package that carries model files.
type Source struct {
	Name      string `yaml:"name"`      // what models[].source refers to
	NPM       string `yaml:"npm"`       // NAME@VERSION, the version exact
	Bytes     int64  `yaml:"bytes"`     // size of the package's tarball
	Integrity string `yaml:"integrity"` // sha512- and its base64, as npm writes it
	Licence   string `yaml:"licence"`   // SPDX identifier
}

// Model is one file, its origin and its input.
type Model struct {
	Name      string    `yaml:"name"`
	Use       string    `yaml:"use"`    // detect, landmark, feature, liveness, basis or demonstration
	File      string    `yaml:"file"`   // below the folder of the models, slashes between folders
	Source    string    `yaml:"source"` // name of the source; empty for a file that the station brings
	Member    string    `yaml:"member"` // the file's name inside the source's tarball
	Bytes     int64     `yaml:"bytes"`
	SHA256    string    `yaml:"sha256"` // 64 hex digits
	Licence   string    `yaml:"licence"`
	Input     Input     `yaml:"input"`     // of models only
	Recognise Recognise `yaml:"recognise"` // of feature models only
}

// Input is the preprocessing of an image for a model: (pixel - mean) * scale.
type Input struct {
	Width  int        `yaml:"width"`  // pixels
	Height int        `yaml:"height"` // pixels
	Colour string     `yaml:"colour"` // bgr, rgb or grey: the order the model wants
	Scale  float64    `yaml:"scale"`
	Mean   PerChannel `yaml:"mean"`    // 0 to 255: one for every channel, or [a, b, c] in the model's order of colours
	SwapRB bool       `yaml:"swap_rb"` // exchange the first and third channel of a BGR image
}

// PerChannel is one value for every channel, or one for each of three.
type PerChannel []float64

// Three returns the values of three channels.
func (p PerChannel) Three() [3]float64 {
	switch len(p) {
	case 0:
		return [3]float64{}
	case 3:
		return [3]float64{p[0], p[1], p[2]}
	default:
		return [3]float64{p[0], p[0], p[0]}
	}
}

// ByUse returns the first file of a use; of the feature models the one in use.
func (m *Models) ByUse(use string) (Model, bool) {
	i := slices.IndexFunc(m.Models, func(f Model) bool { return f.Use == use && (use != UseFeature || f.Name == m.Recogniser) })
	if i < 0 {
		return Model{}, false
	}
	return m.Models[i], true
}

// SourceOf returns the package that carries a file; false for a file that the
// station brings itself.
func (m *Models) SourceOf(f Model) (Source, bool) {
	i := slices.IndexFunc(m.Sources, func(s Source) bool { return s.Name == f.Source })
	if i < 0 {
		return Source{}, false
	}
	return m.Sources[i], true
}

// LoadModels reads a manifest. The error holds Faults, all of them.
func LoadModels(path string) (*Models, error) {
	m, faults := load(path, defaultModels(), checkModels)
	return m, faults.Err()
}

func checkModels(m *Models, d *document) {
	d.version(m.Version)
	sources := map[string]bool{}
	for i, s := range m.Sources {
		checkSource(fmt.Sprintf("sources[%d]", i), s, sources, d)
	}
	names, files := map[string]bool{}, map[string]bool{}
	for i, f := range m.Models {
		path := fmt.Sprintf("models[%d]", i)
		checkModel(path, f, sources, d)
		d.once(path+".name", f.Name, names)
		d.once(path+".file", f.File, files)
	}
	for _, use := range []string{UseDetect, UseLandmark, UseLiveness} {
		if _, ok := m.ByUse(use); !ok && !d.broken("models") {
			d.fault("models", "have none with use: "+use, "the gate works with detect, landmark, feature and liveness")
		}
	}
	checkRecognisers(m, d)
	checkLiveness(m.Liveness, d)
}

func checkSource(path string, s Source, known map[string]bool, d *document) {
	d.filled(path+".name", s.Name)
	d.once(path+".name", s.Name, known)
	if name, version, ok := cutLast(s.NPM, "@"); d.filled(path+".npm", s.NPM) &&
		(!ok || name == "" || !exactVersion(version) || strings.HasPrefix(s.NPM, "-") || strings.ContainsAny(s.NPM, " :\\") || strings.Contains(s.NPM, "..")) {
		d.fault(path+".npm", "is not NAME@VERSION with an exact version", "such as some-package@1.2.3")
	}
	between(d, path+".bytes", s.Bytes, 1, 1<<30)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Integrity, "sha512-"))
	if d.filled(path+".integrity", s.Integrity) && (err != nil || len(sum) != 64 || !strings.HasPrefix(s.Integrity, "sha512-")) {
		d.fault(path+".integrity", "is not an integrity of SHA-512", "\"sha512-\" and base64, as the registry shows it")
	}
	d.filled(path+".licence", s.Licence)
}

func checkModel(path string, f Model, sources map[string]bool, d *document) {
	d.filled(path+".name", f.Name)
	d.oneOf(path+".use", f.Use, UseDetect, UseLandmark, UseFeature, UseLiveness, UseBasis, UseDemonstration)
	d.inside(path+".file", f.File)
	if f.Source != "" {
		if !sources[f.Source] {
			d.fault(path+".source", "is not among the sources", "")
		}
		d.inside(path+".member", f.Member)
	}
	between(d, path+".bytes", f.Bytes, 1, 1<<28)
	sum, err := hex.DecodeString(f.SHA256)
	if d.filled(path+".sha256", f.SHA256) && (err != nil || len(sum) != 32) {
		d.fault(path+".sha256", "is not a SHA-256", "64 hex digits, as sha256sum prints them")
	}
	d.filled(path+".licence", f.Licence)
	if f.Use == UseDemonstration || f.Use == UseBasis {
		return
	}
	between(d, path+".input.width", f.Input.Width, 8, 1024)
	between(d, path+".input.height", f.Input.Height, 8, 1024)
	d.oneOf(path+".input.colour", f.Input.Colour, "bgr", "rgb", "grey")
	between(d, path+".input.scale", f.Input.Scale, 1e-6, 1)
	if n := len(f.Input.Mean); n > 1 && n != 3 && !d.broken(path+".input.mean") {
		d.fault(path+".input.mean", "is neither one value nor three", "such as 127, or [104, 117, 123]")
	}
	for i, v := range f.Input.Mean {
		between(d, fmt.Sprintf("%s.input.mean[%d]", path, i), v, 0, 255)
	}
	if f.Input.SwapRB != (f.Input.Colour == "rgb") {
		d.fault(path+".input.swap_rb", "does not fit the colour", "true for rgb, because frames are BGR, and false otherwise")
	}
}

// inside demands a relative path that stays below its folder.
func (d *document) inside(path, value string) {
	if d.filled(path, value) && (!filepath.IsLocal(value) || strings.Contains(value, `\`) || filepath.Clean(value) != value) {
		d.fault(path, "does not stay below its folder", "a relative path without \"..\"")
	}
}

// once demands that no earlier entry has the value.
func (d *document) once(path, value string, seen map[string]bool) {
	if seen[value] && value != "" && !d.broken(path) {
		d.fault(path, "is used a second time", "each has one of its own")
	}
	seen[value] = true
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// exactVersion says whether v names one version, not a range or a tag.
func exactVersion(v string) bool {
	return strings.Count(v, ".") >= 2 && v[0] >= '0' && v[0] <= '9' &&
		strings.Trim(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+") == ""
}
