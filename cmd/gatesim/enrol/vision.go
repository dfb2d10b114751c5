package enrol

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"bordergate/biometrics"

	"golang.org/x/sync/errgroup"
)

// analyse has gatevision look at portraits, in as many processes as there are
// cores, and keeps what it finds.
func (f *Office) analyse(ctx context.Context, keys []string) error {
	g, ctx := errgroup.WithContext(ctx)
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		var names []string
		for k := i; k < len(keys); k += n {
			names = append(names, keys[k]+".jpg")
		}
		if len(names) > 0 {
			g.Go(func() error { return f.vision(ctx, names) })
		}
	}
	return g.Wait()
}

func (f *Office) vision(ctx context.Context, names []string) error {
	cmd := exec.CommandContext(ctx, f.o.Program, "embed-list", "--models", f.o.Models, "--manifest", f.o.Manifest, "--root", f.o.Dir, "--pick", "largest")
	cmd.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil // a portrait without a face: refused below
	}
	if err != nil {
		return fmt.Errorf("run gatevision: %w: %.300s", err, text.String())
	}
	scan := bufio.NewScanner(bytes.NewReader(out))
	scan.Buffer(nil, 1<<20)
	done := 0
	for ; scan.Scan(); done++ {
		name, got, err := parse(scan.Bytes())
		if err != nil {
			return err
		}
		b, err := json.Marshal(got)
		if err != nil {
			return fmt.Errorf("keep enrolment: %w", err)
		}
		if err := os.WriteFile(f.result(strings.TrimSuffix(name, ".jpg")), b, 0o600); err != nil {
			return fmt.Errorf("keep enrolment: %w", err)
		}
	}
	if done != len(names) {
		return fmt.Errorf("run gatevision: it answered for %d of %d portraits", done, len(names))
	}
	return nil
}

// picture is a line of gatevision.
type picture struct {
	File   string  `json:"file"`
	Error  string  `json:"error"`
	Found  int     `json:"found"`
	Second float64 `json:"second"`
	Main   int     `json:"main"`
	Faces  []struct {
		Quality   biometrics.Quality `json:"quality"`
		Embedding string             `json:"embedding_base64"`
	} `json:"faces"`
}

// parse reads a line; a portrait without a face gives a finding that no rule
// accepts.
func parse(line []byte) (string, finding, error) {
	var p picture
	if err := json.Unmarshal(line, &p); err != nil {
		return "", finding{}, fmt.Errorf("read gatevision: %w", err)
	}
	if p.Error != "" {
		return "", finding{}, fmt.Errorf("read gatevision: %s: %.200s", p.File, p.Error)
	}
	if p.Main < 0 || p.Main >= len(p.Faces) {
		return p.File, finding{}, nil
	}
	f := p.Faces[p.Main]
	x, err := biometrics.DecodeEmbedding(f.Embedding)
	if err != nil || len(x) == 0 {
		return p.File, finding{}, nil //nolint:nilerr // a face without an embedding is refused by its quality
	}
	q := f.Quality
	q.Faces, q.Second = p.Found, p.Second
	return p.File, finding{Embedding: x, Quality: q}, nil
}
