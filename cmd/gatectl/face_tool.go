package main

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
	"strings"
	"sync"

	"bordergate/biometrics"
)

// visionTool runs gatevision, which may die of a picture, on files.
type visionTool struct{ program, models, manifest, empty string }

// visionPicture is a line of gatevision's output.
type visionPicture struct {
	File   string             `json:"file"`
	Error  string             `json:"error"`
	Width  float64            `json:"width"`
	Height float64            `json:"height"`
	Found  int                `json:"found"`
	Second float64            `json:"second"`
	Main   int                `json:"main"`
	Faces  []visionFace       `json:"faces"`
	Millis map[string]float64 `json:"millis"`
}

type visionFace struct {
	Box      visionBox          `json:"box"`
	Quality  biometrics.Quality `json:"quality"`
	Liveness *struct {
		MS27  float64 `json:"ms27"`
		SQ15  float64 `json:"sq15"`
		Lines int     `json:"lines"`
	} `json:"liveness"`
	Embedding string `json:"embedding_base64"`
	raw       biometrics.Embedding
}

// visionBox is a face's place in pixels.
type visionBox struct {
	X, Y, W, H float64
}

// main returns the chosen face, nil when there is none.
func (p *visionPicture) main() *visionFace {
	if p.Main < 0 || p.Main >= len(p.Faces) || len(p.Faces[p.Main].raw) == 0 {
		return nil
	}
	return &p.Faces[p.Main]
}

// quality converts the chosen face's measurements.
func (p *visionPicture) quality() biometrics.Quality {
	f := p.main()
	if f == nil {
		return biometrics.Quality{}
	}
	q := f.Quality
	q.Faces, q.Second = p.Found, p.Second
	return q
}

// find returns the program: the one named, the one beside this program, or the one on the path.
func (v visionTool) find() (string, error) {
	if v.program != "" {
		return v.program, nil
	}
	if self, err := os.Executable(); err == nil {
		p := filepath.Join(filepath.Dir(self), "gatevision")
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p, nil
		}
	}
	p, err := exec.LookPath("gatevision")
	if err != nil {
		return "", errors.New("gatevision is not beside gatectl: build it (make build) or name it with --gatevision")
	}
	return p, nil
}

// live converts the chosen face's liveness cues; false where there are none.
func (p *visionPicture) live() (biometrics.LivenessScore, bool) {
	f := p.main()
	if f == nil || f.Liveness == nil {
		return biometrics.LivenessScore{}, false
	}
	s := biometrics.LivenessScore{MS27: f.Liveness.MS27, SQ15: f.Liveness.SQ15, Lines: float64(f.Liveness.Lines)}
	if b := f.Box; p.Width > 0 && p.Height > 0 {
		s.Size, s.X, s.Y = b.H/p.Height, (b.X+b.W/2)/p.Width, (b.Y+b.H/2)/p.Height
	}
	return s, true
}

// images analyses a few files whole. Any file that cannot be read is an error.
func (v visionTool) images(ctx context.Context, files []string) ([]visionPicture, error) {
	var out []visionPicture
	err := v.run(ctx, append([]string{"image"}, v.flags("--")...), files, nil, func(p visionPicture) error {
		if p.Error != "" {
			return fmt.Errorf("%s: %s", p.File, p.Error)
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) != len(files) {
		return nil, fmt.Errorf("gatevision answered for %d of %d pictures", len(out), len(files))
	}
	return out, nil
}

func (v visionTool) flags(more ...string) []string {
	return append([]string{"--models", v.models, "--manifest", v.manifest, "--empty", v.empty}, more...)
}

// embed embeds many files, split over so many processes, and gives each result to take, one call at a time.
func (v visionTool) embed(ctx context.Context, root string, names []string, processes int, take func(visionPicture) error, more ...string) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make([]error, processes)
	for k := range processes {
		var part []string
		for i := k; i < len(names); i += processes {
			part = append(part, names[i])
		}
		if len(part) == 0 {
			continue
		}
		wg.Go(func() {
			in := strings.NewReader(strings.Join(part, "\n") + "\n")
			args := append([]string{"embed-list"}, v.flags(append([]string{"--root", root}, more...)...)...)
			errs[k] = v.run(ctx, args, nil, in, func(p visionPicture) error {
				mu.Lock()
				defer mu.Unlock()
				return take(p)
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// run starts gatevision and reads its lines. Exit status 1 only says that a picture gave no face.
func (v visionTool) run(ctx context.Context, args, files []string, in io.Reader, take func(visionPicture) error) error {
	program, err := v.find()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append(args, files...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = in, &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run gatevision: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run gatevision: %w", err)
	}
	lines, takeErr := 0, error(nil)
	sc := bufio.NewScanner(out)
	sc.Buffer(nil, 8<<20)
	for takeErr == nil && sc.Scan() {
		lines++
		takeErr = takeLine(sc.Bytes(), take)
	}
	if takeErr != nil {
		_ = cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case takeErr != nil:
		return takeErr
	case waitErr == nil:
		return sc.Err()
	case errors.As(waitErr, &exit) && (exit.ExitCode() == 1 || exit.ExitCode() == 2 && lines > 0):
		return sc.Err()
	default:
		return fmt.Errorf("run gatevision: %w: %s", waitErr, bytes.TrimSpace(said.Bytes()[:min(said.Len(), 600)]))
	}
}

func takeLine(b []byte, take func(visionPicture) error) error {
	var p visionPicture
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("read gatevision: %w", err)
	}
	for i := range p.Faces {
		raw, err := biometrics.DecodeEmbedding(p.Faces[i].Embedding)
		if err != nil {
			return fmt.Errorf("read gatevision: %w", err)
		}
		p.Faces[i].raw = raw
	}
	return take(p)
}
