package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// CalibrationLife is how long a calibration is good for: lamps age, cameras
// are turned.
const CalibrationLife = 365 * 24 * time.Hour

// Calibration is what live users of one face camera gave, as "gatectl face
// calibrate" writes it. It holds no measurement of any one of them.
type Calibration struct {
	Version   int     `yaml:"version"` // 1
	Gate      string  `yaml:"gate"`    // gate.id
	Camera    string  `yaml:"camera"`  // cameras.face.source
	Width     int     `yaml:"width"`   // pixels of its frames
	Height    int     `yaml:"height"`
	Model     string  `yaml:"model"` // id of the liveness network
	Rule      string  `yaml:"rule"`  // version of the rule that combines the cues
	Made      string  `yaml:"made"`  // RFC 3339
	Users     int     `yaml:"users"`
	Frames    int     `yaml:"frames"`
	BPCER     float64 `yaml:"bpcer"`       // share of live users that may be rejected, as asked for
	Rejected  int     `yaml:"rejected"`    // users rejected at the threshold
	UpTo      float64 `yaml:"bpcer_up_to"` // upper 95 % limit of the share
	Threshold float64 `yaml:"threshold"`
	Place     Spot    `yaml:"place"`
}

// Spot bounds where a face can be: the height of its box as a share of the
// frame's, and its middle as shares of width and height.
type Spot struct {
	MinSize float64 `yaml:"min_size"`
	MaxSize float64 `yaml:"max_size"`
	MinX    float64 `yaml:"min_x"`
	MaxX    float64 `yaml:"max_x"`
	MinY    float64 `yaml:"min_y"`
	MaxY    float64 `yaml:"max_y"`
}

// LivenessLimits are the threshold of an uncalibrated camera and the bounds of
// what a calibration may set.
type LivenessLimits struct {
	Threshold float64 `yaml:"threshold"`
	Lowest    float64 `yaml:"lowest"`
	Highest   float64 `yaml:"highest"`
}

// defaultModels is what a manifest need not say.
func defaultModels() Models {
	return Models{Liveness: LivenessLimits{Threshold: -4, Lowest: -7, Highest: 2}}
}

func checkLiveness(l LivenessLimits, d *document) {
	between(d, "liveness.lowest", l.Lowest, -20, 20)
	between(d, "liveness.highest", l.Highest, -20, 20)
	if (l.Threshold < l.Lowest || l.Threshold > l.Highest) && !d.broken("liveness.threshold") {
		d.fault("liveness.threshold", "is outside of its own bounds", "lowest, threshold and highest rise")
	}
}

// LoadCalibration reads a calibration. The error holds Faults, all of them.
func LoadCalibration(path string) (*Calibration, error) {
	c, faults := load(path, Calibration{}, checkCalibration)
	return c, faults.Err()
}

func checkCalibration(c *Calibration, d *document) {
	d.version(c.Version)
	d.filled("gate", c.Gate)
	d.filled("camera", c.Camera)
	d.filled("model", c.Model)
	d.filled("rule", c.Rule)
	between(d, "width", c.Width, 320, 8192)
	between(d, "height", c.Height, 240, 8192)
	if _, err := time.Parse(time.RFC3339, c.Made); d.filled("made", c.Made) && err != nil {
		d.fault("made", "is not a time", "such as 2026-11-22T08:00:00Z")
	}
	between(d, "users", c.Users, 1, 100_000)
	between(d, "frames", c.Frames, 1, 1_000_000)
	between(d, "bpcer", c.BPCER, 0, 0.2)
	between(d, "rejected", c.Rejected, 0, c.Users)
	between(d, "bpcer_up_to", c.UpTo, 0, 1)
	between(d, "threshold", c.Threshold, -20, 20)
	for _, r := range []struct {
		name    string
		low, up float64
	}{{"size", c.Place.MinSize, c.Place.MaxSize}, {"x", c.Place.MinX, c.Place.MaxX}, {"y", c.Place.MinY, c.Place.MaxY}} {
		between(d, "place.min_"+r.name, r.low, 0, 4)
		between(d, "place.max_"+r.name, r.up, 0, 4)
		if r.low >= r.up && !d.broken("place.min_"+r.name) {
			d.fault("place.min_"+r.name, "is not below its maximum", "make the calibration anew")
		}
	}
}

// ID tells one calibration from another in records: its day and its content.
func (c Calibration) ID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", c))
	return c.Made[:min(10, len(c.Made))] + "-" + hex.EncodeToString(sum[:4])
}

// Expires is when the calibration should have been made anew.
func (c Calibration) Expires() time.Time {
	made, err := time.Parse(time.RFC3339, c.Made)
	if err != nil {
		return time.Time{}
	}
	return made.Add(CalibrationLife)
}

// YAML is the file's text.
func (c Calibration) YAML() ([]byte, error) {
	b, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write calibration: %w", err)
	}
	return append([]byte("# Made by \"gatectl face calibrate\". Make it anew rather than change it.\n"), b...), nil
}

// Mismatches tells why a calibration is not one of this gate's face camera and
// these models; empty when it is.
func (c Calibration) Mismatches(g *Gate, model, rule string, l LivenessLimits) []string {
	var out []string
	differ := func(what, have, want string) {
		if have != want {
			out = append(out, fmt.Sprintf("%s is %q, here it is %q", what, have, want))
		}
	}
	differ("gate", c.Gate, g.Gate.ID)
	differ("camera", c.Camera, g.Cameras.Face.Source)
	differ("frame size", fmt.Sprintf("%dx%d", c.Width, c.Height), fmt.Sprintf("%dx%d", g.Cameras.Face.Width, g.Cameras.Face.Height))
	differ("model", c.Model, model)
	differ("rule", c.Rule, rule)
	if c.Threshold < l.Lowest || c.Threshold > l.Highest {
		out = append(out, fmt.Sprintf("threshold %g is outside of the manifest's %g to %g", c.Threshold, l.Lowest, l.Highest))
	}
	return out
}
