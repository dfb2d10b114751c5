package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bordergate/biometrics"
	"bordergate/biometrics/recogniser"
	"bordergate/cmd/gatectl/evaluate"
	"bordergate/configs"
)

// enoughUsers is how many live users a calibration should have.
const enoughUsers = 20

// calibrateFlags are the flags of "face calibrate".
type calibrateFlags struct {
	tool        visionTool
	config, out string
	bpcer       float64
	few         bool
}

// faceCalibrate is "face calibrate": a folder with a folder of frames for each user.
func faceCalibrate(ctx context.Context, e env, args []string) int {
	const words = "face calibrate"
	fs := newFlags(e, words)
	var f calibrateFlags
	fs.StringVar(&f.tool.program, "gatevision", "", "the gatevision program; beside gatectl when empty")
	fs.StringVar(&f.config, "config", "", "the gate's file: which camera, which models")
	fs.StringVar(&f.out, "out", "", "calibration to write; cameras.face.calibration of the gate's file names it")
	fs.Float64Var(&f.bpcer, "bpcer", 0.01, "share of live users that may be taken for attacks, 0 to 0.2")
	fs.StringVar(&f.tool.empty, "empty", "", "folder of frames of the same camera with nobody there")
	fs.BoolVar(&f.few, "few", false, fmt.Sprintf("accept fewer than %d users", enoughUsers))
	folders, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(folders) != 1 || f.config == "" || f.out == "" {
		return unable(e, words, errors.New("give --config, --out and one folder that has a folder of frames for each user"))
	}
	c, err := f.calibrate(ctx, folders[0], e)
	if err != nil {
		return unable(e, words, err)
	}
	text, err := c.YAML()
	if err != nil {
		return unable(e, words, err)
	}
	if err := os.WriteFile(f.out, text, 0o644); err != nil { //nolint:gosec // it names nobody, and the daemon's user must read it
		return unable(e, words, fmt.Errorf("write calibration: %w", err))
	}
	return printResult(e, words, calibrationLine{File: f.out, ID: c.ID(), Calibration: c}, true)
}

// calibrationLine is what "face calibrate" prints.
type calibrationLine struct {
	File        string               `json:"file"`
	ID          string               `json:"id"`
	Calibration *configs.Calibration `json:"calibration"`
}

func (f *calibrateFlags) calibrate(ctx context.Context, root string, e env) (*configs.Calibration, error) {
	gate, faults := configs.LoadGate(f.config)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	f.tool.models, f.tool.manifest = gate.Models.Dir, gate.Models.Manifest
	man, err := configs.LoadModels(f.tool.manifest)
	if err != nil {
		return nil, err
	}
	model, err := recogniser.Open(man, f.tool.models)
	if err != nil {
		return nil, err
	}
	users, frames, err := f.users(ctx, root, gate, model)
	if err != nil {
		return nil, err
	}
	if len(users) < enoughUsers && !f.few {
		return nil, fmt.Errorf("%d users with enough usable frames: %d are wanted, or say --few", len(users), enoughUsers)
	}
	got, err := biometrics.CalibrateLiveness(users, f.bpcer, biometrics.LivenessLimits{Lowest: man.Liveness.Lowest, Highest: man.Liveness.Highest})
	if err != nil {
		return nil, err
	}
	if got.Bounded {
		fmt.Fprintf(e.Err, "gatectl: the manifest's bounds hold the threshold at %g: %d of %d users are rejected\n", got.Threshold, got.Rejected, got.Users)
	}
	net, _ := man.ByUse(configs.UseLiveness)
	return &configs.Calibration{
		Version: 1, Gate: gate.Gate.ID, Camera: gate.Cameras.Face.Source, Width: gate.Cameras.Face.Width, Height: gate.Cameras.Face.Height,
		Model: biometrics.ModelID(net.Name, net.SHA256), Rule: biometrics.LivenessRuleVersion, Made: time.Now().UTC().Format(time.RFC3339),
		Users: got.Users, Frames: frames, BPCER: f.bpcer, Rejected: got.Rejected, UpTo: evaluate.NewRate(got.Rejected, got.Users).High, Threshold: got.Threshold, Place: configs.Spot(got.Place),
	}, nil
}

// users scores every user's frames as the gate does: the first usable ones, up to five. A user with too few is left out and counted.
func (f *calibrateFlags) users(ctx context.Context, root string, gate *configs.Gate, model *biometrics.Recogniser) (list []*biometrics.LivenessSession, frames int, err error) {
	var names []string
	for _, pattern := range []string{"*/*.jpg", "*/*.png"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, 0, fmt.Errorf("list frames: %w", err)
		}
		for _, file := range found {
			name, err := filepath.Rel(root, file)
			if err != nil {
				return nil, 0, fmt.Errorf("list frames: %w", err)
			}
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, 0, fmt.Errorf("no frames in %s: a folder for each user with *.jpg or *.png", root)
	}
	slices.Sort(names)
	var pics []visionPicture
	err = f.tool.embed(ctx, root, names, 2, func(p visionPicture) error {
		if p.Error != "" {
			return fmt.Errorf("%s: %s", p.File, p.Error)
		}
		if w, h := gate.Cameras.Face.Width, gate.Cameras.Face.Height; p.Width != float64(w) || p.Height != float64(h) {
			return fmt.Errorf("%s is of %gx%g: frames of this gate's face camera have %dx%d", p.File, p.Width, p.Height, w, h)
		}
		pics = append(pics, p)
		return nil
	}, "--liveness", "--pick", "largest")
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(pics, func(a, b visionPicture) int { return cmp.Compare(a.File, b.File) })
	users := map[string]*biometrics.LivenessSession{}
	for i := range pics {
		p := &pics[i]
		user := filepath.Dir(p.File)
		if users[user] == nil {
			users[user] = &biometrics.LivenessSession{}
		}
		usable, _ := model.ProbeRules().Judge(p.quality())
		if score, ok := p.live(); ok && usable && users[user].Add(score) {
			frames++
		}
	}
	for _, s := range users {
		if s.N() >= biometrics.DefaultLivenessRule().MinFrames {
			list = append(list, s)
		}
	}
	return list, frames, nil
}
