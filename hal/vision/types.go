package vision

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of the fields a worker sends.
const (
	maxText      = 512
	maxSymbology = 32
	maxPayload   = 8 << 10
	maxRaw       = 1024
	maxJPEG      = MaxBody - 4096
	maxConfig    = 64 << 10
	// MaxView is the largest picture of a View in bytes.
	MaxView = 48 << 10
)

// Role is what a worker does with its camera.
type Role string

// The roles.
const (
	RoleDocument Role = "document"
	RoleFace     Role = "face"
)

// ModelFile is a network on disk. The worker refuses a file whose SHA-256 is another.
type ModelFile struct {
	// Name is detect, landmark, feature or liveness.
	Name   string `json:"name"`
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	// Spec is how the network is fed and read, in the words of the model manifest; nothing here looks into it.
	Spec json.RawMessage `json:"spec,omitempty"`
}

// NewModelFile tells a worker of a network; description is the manifest's entry of it, without which the worker refuses the network.
func NewModelFile(name, path, sha256 string, description any) (ModelFile, error) {
	spec, err := json.Marshal(description)
	if err != nil {
		return ModelFile{}, fmt.Errorf("describe model %s: %w", name, err)
	}
	return ModelFile{Name: name, Path: path, SHA256: sha256, Spec: spec}, nil
}

// WorkerConfig is the first message to a worker, and all it knows.
type WorkerConfig struct {
	Role Role `json:"role"`
	// Source is a V4L2 path, an http(s) or rtsp URL, a video file, or a folder or pattern of numbered pictures.
	Source string `json:"source"`
	// Width, Height and FPS are asked of the camera; it may give others.
	Width  int `json:"width"`
	Height int `json:"height"`
	FPS    int `json:"fps"`
	// Threads is how many threads the image library may use, 1 to 16; 0 is 1.
	Threads int `json:"threads"`
	// Models are only given to a face worker.
	Models []ModelFile `json:"models,omitempty"`
	// MinEyeDistance is the distance in pixels from which a face is worth recognising; 0 takes the default.
	MinEyeDistance float32 `json:"min_eye_distance,omitempty"`
	// LivenessFrames is how many usable frames of a session get a liveness score; 0 takes the default of 5.
	LivenessFrames int `json:"liveness_frames,omitempty"`
	// SymbolBudgetMillis is how long one frame may be searched for a barcode; 0 takes the default.
	SymbolBudgetMillis int `json:"symbol_budget_millis,omitempty"`
}

// ErrConfig is returned for a worker configuration that cannot work.
var ErrConfig = errors.New("vision: worker configuration is not usable")

// Validate checks ranges and that a face worker has its models.
func (c WorkerConfig) Validate() error {
	switch {
	case c.Role != RoleDocument && c.Role != RoleFace:
		return fmt.Errorf("%w: role %q", ErrConfig, c.Role)
	case c.Source == "":
		return fmt.Errorf("%w: no camera source", ErrConfig)
	case c.Width < 0 || c.Width > 8192 || c.Height < 0 || c.Height > 8192 || c.FPS < 0 || c.FPS > 240:
		return fmt.Errorf("%w: %dx%d at %d frames/s", ErrConfig, c.Width, c.Height, c.FPS)
	case c.Threads < 0 || c.Threads > 16:
		return fmt.Errorf("%w: %d threads", ErrConfig, c.Threads)
	case c.Role == RoleFace && len(c.Models) == 0:
		return fmt.Errorf("%w: a face worker without models", ErrConfig)
	case len(c.Models) > 32:
		return fmt.Errorf("%w: %d models", ErrConfig, len(c.Models))
	default:
		return nil
	}
}

func (WorkerConfig) kind() Kind { return kindConfig }

func (c WorkerConfig) encode(e *encoder) {
	b, err := json.Marshal(c)
	if err == nil && len(b) > maxConfig {
		err = ErrTooLarge
	}
	if err != nil {
		e.err = err
		return
	}
	e.bytes(b)
}

func decodeConfig(d *decoder) WorkerConfig {
	var c WorkerConfig
	if b := d.bytes(maxConfig); d.err == nil {
		if err := json.Unmarshal(b, &c); err != nil {
			d.fail("configuration: %v", err)
		}
	}
	return c
}

// Watch, Stop and Still as the worker receives them.
type (
	watch struct{ Session uint32 }
	stop  struct{}
	still struct{}
	// mirror asks for views, or ends them.
	mirror struct{ On bool }
)

func (watch) kind() Kind           { return kindWatch }
func (w watch) encode(e *encoder)  { e.u32(w.Session) }
func (stop) kind() Kind            { return kindStop }
func (stop) encode(*encoder)       {}
func (still) kind() Kind           { return kindStill }
func (still) encode(*encoder)      {}
func (mirror) kind() Kind          { return kindMirror }
func (m mirror) encode(e *encoder) { e.bool(m.On) }

// ready is the worker's first message: its models are loaded.
type ready struct{ PID int }

func (ready) kind() Kind          { return kindReady }
func (r ready) encode(e *encoder) { e.u32(uint32(r.PID)) }

// Fault is a worker's last message: why it cannot go on. The text names the cure and holds no personal data.
type Fault struct{ Text string }

func (Fault) kind() Kind          { return kindFault }
func (f Fault) encode(e *encoder) { e.text(f.Text) }
