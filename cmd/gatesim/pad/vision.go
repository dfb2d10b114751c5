package pad

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"bordergate/biometrics"
	"bordergate/cmd/gatesim/scene"
)

// seen is what the gate's own vision found in one frame.
type seen struct {
	quality biometrics.Quality
	raw     biometrics.Embedding
	score   biometrics.LivenessScore
}

// looker is a gatevision that looks at one frame after the other.
type looker struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	said  *bytes.Buffer
	dir   string
	n     int
}

// newLooker starts one that knows the empty scene.
func newLooker(ctx context.Context, o Options, empty []scene.Frame) (*looker, error) {
	dir, err := os.MkdirTemp("", "gatesim-pad")
	if err != nil {
		return nil, fmt.Errorf("start gatevision: %w", err)
	}
	l := &looker{dir: dir, said: &bytes.Buffer{}}
	for i, f := range empty {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("empty%d.jpg", i)), f.JPEG, 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("start gatevision: %w", err), l.close())
		}
	}
	l.cmd = exec.CommandContext(ctx, o.Program, "embed-list", "--models", o.Models, "--manifest", o.Manifest, "--root", dir, "--pick", "largest", "--liveness", "--empty", dir)
	l.cmd.Stderr = l.said
	out, err := l.cmd.StdoutPipe()
	if err == nil {
		l.in, err = l.cmd.StdinPipe()
	}
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start gatevision: %w", err), os.RemoveAll(dir))
	}
	l.lines = bufio.NewScanner(out)
	l.lines.Buffer(nil, 1<<20)
	return l, nil
}

func (l *looker) close() error {
	if l.in != nil {
		_ = l.in.Close()
		_ = l.cmd.Wait() // its status only says that a frame had no face
	}
	return os.RemoveAll(l.dir)
}

// line is what gatevision prints of a frame.
type line struct {
	Error  string  `json:"error"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Found  int     `json:"found"`
	Second float64 `json:"second"`
	Main   int     `json:"main"`
	Faces  []struct {
		Box      struct{ X, Y, W, H float64 } `json:"box"`
		Quality  biometrics.Quality           `json:"quality"`
		Liveness struct {
			MS27  float64 `json:"ms27"`
			SQ15  float64 `json:"sq15"`
			Lines float64 `json:"lines"`
		} `json:"liveness"`
		Base64 string `json:"embedding_base64"`
	} `json:"faces"`
}

// look analyses a frame.
func (l *looker) look(f scene.Frame) (seen, error) {
	l.n++
	name := fmt.Sprintf("f%d.jpg", l.n)
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, f.JPEG, 0o600); err != nil {
		return seen{}, fmt.Errorf("show frame: %w", err)
	}
	defer os.Remove(path)
	if _, err := io.WriteString(l.in, name+"\n"); err != nil {
		return seen{}, fmt.Errorf("show frame: %w: %.300s", err, l.said.String())
	}
	if !l.lines.Scan() {
		return seen{}, fmt.Errorf("show frame: gatevision ended: %w: %.300s", errors.Join(l.lines.Err(), io.ErrUnexpectedEOF), l.said.String())
	}
	var a line
	if err := json.Unmarshal(l.lines.Bytes(), &a); err != nil {
		return seen{}, fmt.Errorf("read gatevision: %w", err)
	}
	if a.Error != "" {
		return seen{}, fmt.Errorf("read gatevision: %.300s", a.Error)
	}
	return a.seen(), nil
}

// seen converts the largest face; of none, a quality that no rule accepts.
func (a line) seen() seen {
	if a.Main < 0 || a.Main >= len(a.Faces) || a.Width <= 0 || a.Height <= 0 {
		return seen{}
	}
	f := a.Faces[a.Main]
	s := seen{quality: f.Quality, score: biometrics.LivenessScore{
		MS27: f.Liveness.MS27, SQ15: f.Liveness.SQ15, Lines: f.Liveness.Lines,
		Size: f.Box.H / a.Height, X: (f.Box.X + f.Box.W/2) / a.Width, Y: (f.Box.Y + f.Box.H/2) / a.Height,
	}}
	s.quality.Faces, s.quality.Second = a.Found, a.Second
	s.raw, _ = biometrics.DecodeEmbedding(f.Base64) // without one no rule accepts the frame
	return s
}
