package clips

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"

	"golang.org/x/sync/errgroup"
)

// Clip is what one camera shows of one traveller.
type Clip struct {
	Intro, Loop, Outro []scene.Frame
}

// Job is a clip to be had: a face or a pass.
type Job struct {
	Face *FaceJob
	Pass *PassJob
}

// FaceJob is a traveller before the face camera.
type FaceJob struct {
	Shot    people.Shot
	Options scene.FaceOptions
	// Device is what the photograph is shown on; empty for the person himself.
	Device scene.Device
	// Other stands beside him, or behind what he holds.
	Other people.Shot
}

// attack hides who holds the device: a second face is a case of its own.
func (j *FaceJob) attack() scene.AttackOptions {
	return scene.AttackOptions{Seed: j.Options.Seed, Device: j.Device, Look: j.Options.Look, Hidden: true}
}

// PassJob is a pass before the document camera. Payload is what the symbol
// holds; Options.Symbol is made of it.
type PassJob struct {
	Payload []byte
	Options scene.PassOptions
}

// Store keeps clips in a folder; it is safe for concurrent use.
type Store struct {
	dir    string
	studio *scene.Studio
	desk   *scene.Desk
	encode func(payload []byte) (scene.Symbol, error)

	mu     sync.Mutex
	hashes map[string][]byte // of photographs
}

// Open opens a store; encode makes the symbol of a payload.
func Open(dir string, encode func(payload []byte) (scene.Symbol, error)) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open clips: %w", err)
	}
	return &Store{dir: dir, studio: scene.NewStudio(), desk: scene.NewDesk(), encode: encode, hashes: map[string][]byte{}}, nil
}

// Idle gives the idle loops of both cameras.
func (s *Store) Idle() (face, document []scene.Frame, err error) {
	const n = 12
	if face, err = s.studio.Idle(n); err != nil {
		return nil, nil, fmt.Errorf("draw idle loop: %w", err)
	}
	if document, err = s.desk.Idle(n); err != nil {
		return nil, nil, fmt.Errorf("draw idle loop: %w", err)
	}
	return face, document, nil
}

// key depends on everything that the clip's content depends on.
func (s *Store) key(j Job) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d %d\n", scene.Version, scene.Width, scene.Height, scene.FPS)
	switch {
	case j.Face != nil:
		photo, err := s.photo(j.Face.Shot.File)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "face %x %+v %+v", photo, j.Face.Shot.Face, j.Face.Options)
		if j.Face.Other.File != "" {
			other, err := s.photo(j.Face.Other.File)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, " %x %+v %+v", other, j.Face.Other.Face, j.Face.attack())
		}
	case j.Pass != nil:
		o := j.Pass.Options
		o.Symbol = scene.Symbol{}
		fmt.Fprintf(h, "pass %x %d %q %d %d %d %d", j.Pass.Payload, o.Seed, o.Words, o.Damage, o.Fumble, o.FumbleFrames, o.Hold)
	default:
		return "", errors.New("clip of nothing")
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func (s *Store) photo(file string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.hashes[file]; ok {
		return h, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read photograph: %w", err)
	}
	h := sha256.Sum256(b)
	s.hashes[file] = h[:]
	return h[:], nil
}

func (s *Store) path(key string) string { return filepath.Join(s.dir, key+".clip") }

// Load reads a clip that Prepare has made.
func (s *Store) Load(j Job) (Clip, error) {
	key, err := s.key(j)
	if err != nil {
		return Clip{}, err
	}
	b, err := os.ReadFile(s.path(key))
	if err != nil {
		return Clip{}, fmt.Errorf("read clip: %w", err)
	}
	var c Clip
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&c); err != nil {
		return Clip{}, fmt.Errorf("read clip: %w", err)
	}
	return c, nil
}

// Prepare draws what is not there yet, on every core, and tells progress
// after each clip. It returns the number of clips drawn.
func (s *Store) Prepare(ctx context.Context, jobs []Job, progress func(done, all int)) (int, error) {
	todo, err := s.missing(jobs)
	if err != nil {
		return 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	done := 0
	for key, j := range todo {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.make(key, j); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			progress(done, len(todo))
			return nil
		})
	}
	return len(todo), g.Wait()
}

// missing lists the jobs whose clip is not there, and marks the others as
// used today.
func (s *Store) missing(jobs []Job) (map[string]Job, error) {
	todo := map[string]Job{}
	now := time.Now()
	for _, j := range jobs {
		key, err := s.key(j)
		if err != nil {
			return nil, err
		}
		if os.Chtimes(s.path(key), now, now) != nil {
			todo[key] = j
		}
	}
	return todo, nil
}

func (s *Store) make(key string, j Job) error {
	c, err := s.draw(j)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return fmt.Errorf("keep clip: %w", err)
	}
	tmp := s.path(key) + ".new"
	if err := os.WriteFile(tmp, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("keep clip: %w", err)
	}
	if err := os.Rename(tmp, s.path(key)); err != nil {
		return fmt.Errorf("keep clip: %w", err)
	}
	return nil
}

func (s *Store) draw(j Job) (Clip, error) {
	if j.Face != nil {
		img, err := j.Face.Shot.Load()
		if err != nil {
			return Clip{}, err
		}
		if j.Face.Other.File != "" {
			return s.withOther(img, j.Face)
		}
		c, err := s.studio.Clip(img, j.Face.Shot.Face, j.Face.Options)
		return Clip{Intro: c.Enter, Loop: c.Look}, err
	}
	o := j.Pass.Options
	var err error
	if o.Symbol, err = s.encode(j.Pass.Payload); err != nil {
		return Clip{}, err
	}
	c, err := s.desk.Clip(o)
	return Clip{Intro: c.Fumble, Loop: c.Hold, Outro: c.Leave}, err
}

// withOther draws an attack, or two people side by side.
func (s *Store) withOther(img image.Image, j *FaceJob) (Clip, error) {
	other, err := j.Other.Load()
	if err != nil {
		return Clip{}, err
	}
	a, b := scene.Sitter{Photo: img, Face: j.Shot.Face}, scene.Sitter{Photo: other, Face: j.Other.Face}
	if j.Device.Name == "" {
		c, err := s.studio.Pair(a, b, j.Options)
		return Clip{Intro: c.Enter, Loop: c.Look}, err
	}
	frames, err := s.studio.Attack(a, b, j.attack())
	return Clip{Loop: frames}, err
}

// Prune removes the clips longest unused until at most limit bytes are kept.
func (s *Store) Prune(limit int64) error {
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("prune clips: %w", err)
	}
	type file struct {
		name string
		used time.Time
		size int64
	}
	var files []file
	var sum int64
	for _, e := range list {
		if i, err := e.Info(); err == nil && i.Mode().IsRegular() {
			files = append(files, file{e.Name(), i.ModTime(), i.Size()})
			sum += i.Size()
		}
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range files {
		if sum <= limit {
			break
		}
		if err := os.Remove(filepath.Join(s.dir, f.name)); err != nil {
			return fmt.Errorf("prune clips: %w", err)
		}
		sum -= f.size
	}
	return nil
}
