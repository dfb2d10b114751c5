package enrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"bordergate/biometrics"
	"bordergate/biometrics/recogniser"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
	"bordergate/configs"

	"golang.org/x/sync/errgroup"
)

// Options say where things are.
type Options struct {
	Program  string // gatevision
	Models   string
	Manifest string
	Dir      string // folder for portraits and what was found in them
}

// Enrolled is a person with a reference.
type Enrolled struct {
	people.Person
	Model     string
	Reference []byte
}

// Office enrols people.
type Office struct {
	o     Options
	model *biometrics.Recogniser
}

// New opens an office with the models of the manifest.
func New(o Options) (*Office, error) {
	m, err := configs.LoadModels(o.Manifest)
	if err != nil {
		return nil, fmt.Errorf("open enrolment: %w", err)
	}
	model, err := recogniser.Open(m, o.Models)
	if err != nil {
		return nil, fmt.Errorf("open enrolment: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open enrolment: %w", err)
	}
	return &Office{o: o, model: model}, nil
}

// finding is what was found in one portrait.
type finding struct {
	Quality   biometrics.Quality   `json:"quality"`
	Embedding biometrics.Embedding `json:"embedding"`
}

// People enrols until want people are accepted or the list is at its end; a
// want of zero takes all. Whoever is filmed from another photograph must look
// usable in it too, by the gate's own rules. It returns how many were refused.
func (f *Office) People(ctx context.Context, list []people.Person, want int) (ok []Enrolled, refused int, err error) {
	batch := len(list)
	if want > 0 {
		batch = want + want/3 + 4
	}
	for len(list) > 0 && (want == 0 || len(ok) < want) {
		n := min(batch, len(list))
		got, err := f.batch(ctx, list[:n])
		if err != nil {
			return nil, 0, err
		}
		ok, refused, list = append(ok, got...), refused+n-len(got), list[n:]
	}
	if want > 0 && len(ok) > want {
		ok = ok[:want]
	}
	return ok, refused, nil
}

func (f *Office) batch(ctx context.Context, list []people.Person) ([]Enrolled, error) {
	var shots []people.Shot
	for _, p := range list {
		shots = append(shots, p.Enrol)
		if !p.Recapture() {
			shots = append(shots, p.Film)
		}
	}
	found, err := f.find(ctx, shots)
	if err != nil {
		return nil, err
	}
	var out []Enrolled
	for _, p := range list {
		a, err := found(p.Enrol)
		if err != nil {
			return nil, err
		}
		ref, _, err := f.model.EnrolPortraits(biometrics.Portrait{Quality: a.Quality, Raw: a.Embedding})
		if errors.Is(err, biometrics.ErrPortrait) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("enrol: %w", err)
		}
		if !p.Recapture() {
			b, err := found(p.Film)
			if err != nil {
				return nil, err
			}
			if good, _ := filmRules(f.model).Judge(b.Quality); !good {
				continue
			}
			p.Film.Face.Nose = nose(p.Film.Face, b.Quality)
		}
		out = append(out, Enrolled{Person: p, Model: f.model.ID, Reference: ref.Bytes()})
	}
	return out, nil
}

// filmRules are the gate's own rules with some room: a traveller follows the
// gate's hints until he can be seen well, a photograph cannot, and the camera's
// noise, light and motion come on top. Nothing here looks at a score.
func filmRules(model *biometrics.Recogniser) biometrics.Rules {
	r := model.ProbeRules()
	r.MaxSecond *= 0.75
	r.MinNorm *= 16.0 / 15
	r.MinLuminance, r.MaxLuminance = r.MinLuminance+10, r.MaxLuminance-10
	r.MaxShareOver, r.MaxShareUnder = r.MaxShareOver/2, r.MaxShareUnder/2
	r.MinLaplacian *= 1.3
	r.MaxNoseOffset *= 0.7
	r.MinNoseDrop, r.MaxNoseDrop = r.MinNoseDrop+0.04, r.MaxNoseDrop-0.04
	r.MaxRoll /= 2
	return r
}

// nose is where the tip of the nose lies in an upright photograph.
func nose(f scene.Face, q biometrics.Quality) [2]float64 {
	if f.Nose != [2]float64{} {
		return f.Nose
	}
	ied := f.Eyes[1][0] - f.Eyes[0][0]
	x, y := (f.Eyes[0][0]+f.Eyes[1][0])/2, (f.Eyes[0][1]+f.Eyes[1][1])/2
	return [2]float64{x + q.NoseOffset*ied, y + q.NoseDrop*ied}
}

// find makes the portraits that are not there yet and analyses them.
func (f *Office) find(ctx context.Context, shots []people.Shot) (func(people.Shot) (finding, error), error) {
	keys := map[string]string{}
	id := func(s people.Shot) string { return fmt.Sprintf("%s %+v", s.File, s.Face) }
	var todo []string
	draw, dctx := errgroup.WithContext(ctx)
	draw.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range shots {
		key, err := f.key(s)
		if err != nil {
			return nil, err
		}
		keys[id(s)] = key
		if _, err := os.Stat(f.result(key)); err == nil {
			continue
		}
		todo = append(todo, key)
		draw.Go(func() error {
			if err := dctx.Err(); err != nil {
				return err
			}
			return f.portrait(s, key)
		})
	}
	if err := draw.Wait(); err != nil {
		return nil, err
	}
	if err := f.analyse(ctx, todo); err != nil {
		return nil, err
	}
	return func(s people.Shot) (finding, error) {
		var out finding
		b, err := os.ReadFile(f.result(keys[id(s)]))
		if err != nil {
			return out, fmt.Errorf("enrol: %w", err)
		}
		return out, json.Unmarshal(b, &out)
	}, nil
}

func (f *Office) picture(key string) string { return filepath.Join(f.o.Dir, key+".jpg") }
func (f *Office) result(key string) string  { return filepath.Join(f.o.Dir, key+".json") }

func (f *Office) key(s people.Shot) (string, error) {
	b, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("enrol: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(b, "%d %s %+v", scene.Version, f.model.ID, s.Face))
	return hex.EncodeToString(sum[:12]), nil
}

func (f *Office) portrait(s people.Shot, key string) error {
	img, err := s.Load()
	if err != nil {
		return err
	}
	b, err := scene.Portrait(img, s.Face)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.picture(key), b, 0o600); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	return nil
}
