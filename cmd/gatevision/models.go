package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"bordergate/biometrics/vision"
	"bordergate/configs"
)

// modelFlags are the flags every one-shot has.
type modelFlags struct {
	dir, manifest string
	threads       int
}

func (m *modelFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&m.dir, "models", "models", "folder of the model pack")
	fs.StringVar(&m.manifest, "manifest", "configs/models.yaml", "model manifest")
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
		models = append(models, vision.Model{Name: name, Path: filepath.Join(m.dir, filepath.FromSlash(f.File)), SHA256: f.SHA256})
	}
	return vision.OpenPipeline(models, vision.Options{Threads: m.threads})
}
