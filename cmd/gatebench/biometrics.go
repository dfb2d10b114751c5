package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// faceOptions of the biometrics part.
type faceOptions struct {
	bin, peers, models, manifest, data, work, out, only string

	seed                            uint64
	frames, photographs, travellers int
}

// The sections of the part, in their order.
const (
	sectionStages = "stages"
	sectionPeers  = "peers"
	sectionStream = "stream"
)

func biometrics(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o faceOptions
	fs := flag.NewFlagSet("gatebench biometrics", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.bin, "bin", "bin", "folder of gatevision, gatesim and what it starts")
	fs.StringVar(&o.peers, "peers", "bin/.bench", "folder of the peers' programs")
	fs.StringVar(&o.models, "models", "models", "folder of the model pack")
	fs.StringVar(&o.manifest, "manifest", "configs/models.yaml", "model manifest")
	fs.StringVar(&o.data, "data", facesFolder(), "folder of labelled photographs, a folder a person; may be missing")
	fs.StringVar(&o.work, "work", "out/bench", "folder of the simulated station")
	fs.StringVar(&o.out, "out", "out/bench.json", "file of results")
	fs.StringVar(&o.only, "only", "", "one section: stages, peers or stream")
	fs.Uint64Var(&o.seed, "seed", 1, "of what is drawn by lot")
	fs.IntVar(&o.frames, "frames", 240, "frames timed for each number of threads")
	fs.IntVar(&o.photographs, "photographs", 400, "labelled photographs that recognition is compared on")
	fs.IntVar(&o.travellers, "travellers", 100, "travellers of the stream; 0 leaves it out")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.only != "" && !slices.Contains([]string{sectionStages, sectionPeers, sectionStream}, o.only) {
		return fmt.Errorf("--only %s: there are %s, %s and %s", o.only, sectionStages, sectionPeers, sectionStream)
	}
	var rows []row
	for _, s := range []struct {
		name    string
		measure func(context.Context, faceOptions, io.Writer, io.Writer) ([]row, error)
	}{{sectionStages, measureStages}, {sectionPeers, measureRecognition}, {sectionStream, measureStream}} {
		if o.only != "" && o.only != s.name {
			continue
		}
		more, err := s.measure(ctx, o, stdout, stderr)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	return conclude(stdout, o.out, "biometrics", rows, o.only == "" && o.travellers > 0)
}

// facesFolder is where the tests' data has labelled photographs.
func facesFolder() string {
	root := os.Getenv("BORDERGATE_DATA")
	if root == "" {
		root = filepath.Join("..", "shared", "data")
	}
	return filepath.Join(root, "faces", "lfw")
}
