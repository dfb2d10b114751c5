package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bordergate/barcode/pass"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal"
	"bordergate/hal/fitting"
	"bordergate/hal/vision"
	"bordergate/sync/wire"
)

// clockMargin is how far beyond the newest signed time a pass must be valid
// for a clock that was never synchronised to admit on it: longer than any
// outage.
const clockMargin = 30 * 24 * time.Hour

// passback is how long a pass is not good for a second passage the same way:
// longer than it takes to hand it back over the barrier and to queue again.
const passback = 10 * time.Minute

const day = 24 * time.Hour

// passRules are the accepted types of pass. Stamps are of border passes.
func passRules() map[string]gate.PassRule {
	return map[string]gate.PassRule{
		pass.TypeBorderPass: {Level: 2, StampEvery: 10 * day, StampSoon: 2 * day},
		pass.TypePortPermit: {Level: 2},
	}
}

// kindMaxAge is how old the cache may be for each kind of account that the
// station has set a limit for.
func kindMaxAge(k configs.KindMaxAge) map[gate.AccountKind]time.Duration {
	out := map[gate.AccountKind]time.Duration{}
	for kind, limit := range map[gate.AccountKind]time.Duration{
		gate.KindCitizen: k.Citizen, gate.KindForeigner: k.Foreigner, gate.KindOrganisation: k.Organisation,
	} {
		if limit > 0 {
			out[kind] = limit
		}
	}
	return out
}

// openEyes makes both cameras' workers. The document camera needs no models: it
// reads while the face camera's are missing.
func (a *App) openEyes() error {
	program, err := findProgram(a.cfg.Vision.Program)
	if err != nil {
		a.defects["document_camera_dead"], a.defects["face_camera_dead"] = err, err
		return nil
	}
	if err := a.openEye(program, vision.RoleDocument, gate.DocumentCamera, a.cfg.Cameras.Document, nil); err != nil {
		return err
	}
	var files []vision.ModelFile
	a.try("models_unusable", func() error {
		files, err = a.openModels()
		return err
	})
	if len(files) == 0 {
		return nil
	}
	return a.openEye(program, vision.RoleFace, gate.FaceCamera, a.cfg.Cameras.Face, files)
}

// openModels checks the networks and makes what compares with them.
func (a *App) openModels() ([]vision.ModelFile, error) {
	manifest, err := hashManifest(a.cfg.Models.Manifest)
	if err != nil {
		return nil, fmt.Errorf("load models.manifest: %w", err)
	}
	models, err := configs.LoadModels(a.cfg.Models.Manifest)
	if err != nil {
		return nil, fmt.Errorf("load models.manifest: %w", err)
	}
	files, err := modelFiles(models, a.cfg.Models.Dir)
	if err != nil {
		return nil, err
	}
	m, err := newMatcher(models, a.cfg.Models)
	if err != nil {
		return nil, err
	}
	if m.live, err = livenessRule(a.cfg, models, time.Now(), a.log); err != nil {
		return nil, err
	}
	a.manifest, a.matcher = manifest, m
	return files, nil
}

// openEye makes one camera's worker.
func (a *App) openEye(program string, role vision.Role, camera gate.Camera, conf configs.Camera, models []vision.ModelFile) error {
	name := string(role)
	o := vision.DefaultOptions()
	o.Program, o.Args, o.Name, o.Log = program, []string{"worker"}, name, a.log
	o.CrashDir = filepath.Join(a.cfg.Paths.State, "crashes")
	o.Config = vision.WorkerConfig{
		Role: role, Source: conf.Source, Width: conf.Width, Height: conf.Height,
		FPS: int(conf.FPS), Threads: conf.Threads, Models: models,
	}
	if err := o.Config.Validate(); err != nil {
		return fmt.Errorf("configure %s camera: %w", name, err)
	}
	e := &eye{camera: camera, name: name + "_camera", conf: conf, away: time.Now(), worker: vision.NewWorker(o), log: a.log.With("camera", name), post: a.post}
	e.ask, e.desk = e.worker.Still, &desk{worker: e.worker}
	if camera == gate.FaceCamera {
		e.model, e.rules = a.matcher.model, a.matcher.model.ProbeRules()
		e.evidence = a.openEvidence(e.worker.Still)
		e.mirror = a.mirror.view
		a.mirror.attach(e.desk.mirror())
		e.monitor = newMonitor(name, a.log.With("camera", name), a.recorder.note)
		a.recorder.monitor = e.monitor
		a.run("face monitor", e.monitor.serve)
	}
	if a.technician != nil {
		e.bench = newBench(e, func() (string, int64) { v, _ := a.hub.snapshot(); return laneOpen(v) }, a.mono)
		a.run(name+" camera alignment", e.bench.serve)
	}
	a.eyes = append(a.eyes, e)
	a.run(name+" camera", e.worker.Serve)
	a.runWatched(name+" camera events", e.serveEvents)
	return nil
}

// openEvidence has pictures of the face camera kept as the station asks.
func (a *App) openEvidence(ask func()) *evidence {
	a.recorder.evidence = &evidence{
		images: func() string { return a.settings().Evidence.Images }, journal: a.journal, clock: a.clock, log: a.log, ask: ask,
	}
	return a.recorder.evidence
}

// modelFiles checks every network against its hash before a worker is told of
// it.
func modelFiles(m *configs.Models, dir string) ([]vision.ModelFile, error) {
	var out []vision.ModelFile
	var errs []error
	for _, use := range []string{configs.UseDetect, configs.UseLandmark, configs.UseFeature, configs.UseLiveness} {
		f, _ := m.ByUse(use)
		path := filepath.Join(dir, filepath.FromSlash(f.File))
		if err := checkHash(path, f.SHA256); err != nil {
			errs = append(errs, fmt.Errorf("check model %s: %w", use, err))
			continue
		}
		file, err := vision.NewModelFile(use, path, f.SHA256, f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, file)
	}
	return out, errors.Join(errs...)
}

// maxModel bounds what is read of a model file, bytes.
const maxModel = 256 << 20

func checkHash(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w (fetch the models with: make models)", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxModel)); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-256 %s, the manifest says %s: it is another or a damaged file; remove it and fetch the models with: make models", path, got, want)
	}
	return nil
}

// findProgram looks beside the running program first, so that a gate never
// runs another version's worker.
func findProgram(name string) (string, error) {
	if filepath.Base(name) != name {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("find vision.program: %w", err)
		}
		return name, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find vision.program: %w (build it with: make build)", err)
	}
	return path, nil
}

func (a *App) openTurnstile() error {
	c := a.cfg.Turnstile
	dev, err := fitting.Turnstile(c, a.log)
	if err != nil {
		return err
	}
	a.barrier = newBarrier(dev, a.log.With("device", "turnstile"), a.post)
	a.barrier.note = func(kind string, public any) { a.recorder.note(wire.StreamAlarm, kind, public) }
	a.hub.light = a.barrier.light
	a.onClose("turnstile", dev.Close)
	s := a.run("turnstile", dev.Serve)
	s.vital = true
	if d, ok := dev.(interface{ Turned() hal.Mono }); ok {
		s.pulse.limit, s.pulse.read = driverStill, func() int64 { return int64(d.Turned()) }
	}
	a.runWatched("turnstile orders", a.barrier.serveOrders).vital = true
	a.runWatched("turnstile events", a.barrier.serveEvents).vital = true
	return nil
}

// openLane comes last: it needs everything else.
func (a *App) openLane() error {
	if a.believer == nil {
		return nil // without a cache, which was said already
	}
	if err := a.believer.load(); err != nil {
		return err
	}
	a.run("trust store", a.believer.serve)
	if len(a.faults) > 0 {
		return nil // said already
	}
	var err error
	a.lane, err = gate.NewLane(a.laneOptions())
	return err
}

// laneOptions wires the lane to its neighbours.
func (a *App) laneOptions() gate.Options {
	c := a.cfg
	times := laneTimes(c)
	a.rules.begin(a.localRules(a.direction()))
	return gate.Options{
		Policy: a.rules.Policy(), Rules: a.rules.Policy,
		Times: times, Order: a.modes.now(), Unsigned: a.modes.unsigned(), Reversible: c.Gate.Reversible, Passes: passes{a.believer.believed}, Accounts: a.cache(), Register: a.register, Matcher: ruledMatcher{a.matcher, &a.rules}, Tracker: newFollower(a.matcher.reject()),
		References: references{a.templates, a.matcher.id(), a.log.With("part", "passes")},
		Recorder:   a.recorder, Turnstile: a.barrier, Eyes: senses{a.eyes, a.scanner}, Screen: a.hub, Clock: a.clock,
		Mono: a.mono, Beat: a.beat,
	}
}

// post hands an input to the lane, once there is one.
func (a *App) post(in gate.Input) {
	if a.lane != nil {
		a.lane.Post(in)
	}
}
