package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"bordergate/biometrics/vision"
	"bordergate/configs"
	worker "bordergate/hal/vision"
)

// modelFlags are the flags every one-shot has.
type modelFlags struct {
	dir, manifest string
	threads       int
	empty         string
}

func (m *modelFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&m.dir, "models", "models", "folder of the model pack")
	fs.StringVar(&m.manifest, "manifest", "configs/models.yaml", "model manifest")
	fs.StringVar(&m.empty, "empty", "", "folder of pictures of the same camera with nobody there: their lines do not count")
	fs.IntVar(&m.threads, "threads", 1, "threads of the image library")
}

// open loads the networks the manifest names.
func (m *modelFlags) open() (*vision.Pipeline, error) {
	man, err := configs.LoadModels(m.manifest)
	if err != nil {
		return nil, fmt.Errorf("load manifest: %w", err)
	}
	var models []vision.Model
	for use, name := range map[string]string{
		configs.UseDetect: vision.ModelDetect, configs.UseLandmark: vision.ModelLandmark,
		configs.UseFeature: vision.ModelFeature, configs.UseLiveness: vision.ModelLiveness,
	} {
		f, ok := man.ByUse(use)
		if !ok {
			return nil, errors.New("manifest names no model for " + use)
		}
		models = append(models, model(name, f.Path(m.dir), f))
	}
	pipe, err := vision.OpenPipeline(models, vision.Options{Threads: m.threads})
	if err != nil || m.empty == "" {
		return pipe, err
	}
	if err := learn(pipe, m.empty); err != nil {
		_ = pipe.Close()
		return nil, err
	}
	return pipe, nil
}

// learn shows the pipeline pictures with nobody in them.
func learn(pipe *vision.Pipeline, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("learn empty scene: no *.jpg in %s", dir)
	}
	for _, file := range files[:min(len(files), 8)] {
		f, err := vision.ReadImage(file)
		if err != nil {
			return fmt.Errorf("learn empty scene: %s: %w", filepath.Base(file), err)
		}
		err = pipe.LearnEmpty(f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// model is a network as the manifest describes it.
func model(name, path string, f configs.Model) vision.Model {
	m := vision.Model{Name: name, Path: path, SHA256: f.SHA256}
	if name == vision.ModelFeature {
		m.Recogniser = &vision.Recogniser{
			Width: f.Input.Width, Height: f.Input.Height, Scale: f.Input.Scale, Mean: f.Input.Mean.Three(), SwapRB: f.Input.SwapRB,
			Grey: f.Input.Colour == "grey", Output: f.Recognise.Output, Dim: f.Recognise.Dimension,
		}
		for i := range min(len(f.Recognise.Align), len(m.Recogniser.Template)) {
			if p := f.Recognise.Align[i]; len(p) == 2 {
				m.Recogniser.Template[i] = vision.Point{X: p[0], Y: p[1]}
			}
		}
	}
	return m
}

// told are the networks a worker was told of, and the least norm of a face that takes part.
func told(list []worker.ModelFile) (models []vision.Model, norm float64, err error) {
	for _, t := range list {
		f := configs.Model{}
		if len(t.Spec) > 0 {
			if err := json.Unmarshal(t.Spec, &f); err != nil {
				return nil, 0, fmt.Errorf("read description of model %s: %w", t.Name, err)
			}
		}
		f.SHA256 = t.SHA256
		models = append(models, model(t.Name, t.Path, f))
		if t.Name == vision.ModelFeature {
			norm = f.Recognise.Norm.Probe
		}
	}
	return models, norm, nil
}
