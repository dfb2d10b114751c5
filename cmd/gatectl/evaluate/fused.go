package evaluate

import "bordergate/biometrics"

// fused compares probes of several photographs with references of one. Of every identity with one photograph more than a probe takes,
// each photograph in turn is the reference and the next ones, in a circle, are the probe; impostors are each probe against every
// photograph of everybody else. Behind a gate only what passes it is a reference or a frame.
func (r *run) fused(name string, g *gate) Series {
	out := Series{Name: name}
	var refs []*face
	frames := map[string][]*face{}
	var order []string
	for _, f := range r.faces {
		if f == nil {
			continue
		}
		if g == nil || f.enrols[g.n] {
			refs = append(refs, f)
		}
		if g == nil || f.probes[g.n] {
			if len(frames[f.Identity]) == 0 {
				order = append(order, f.Identity)
			}
			frames[f.Identity] = append(frames[f.Identity], f)
		}
	}
	for _, id := range order {
		list := frames[id]
		if len(list) <= r.o.Fuse {
			continue
		}
		for i, ref := range list {
			probe, ok := r.probe(list, i+1)
			if !ok {
				continue
			}
			if g == nil || ref.enrols[g.n] {
				out.add(dot(ref.ref, probe), true)
			}
			for _, other := range refs {
				if other.Identity != id {
					out.add(dot(other.ref, probe), false)
				}
			}
		}
	}
	return out.close(r.o.Model.Limits.Fused)
}

// probe fuses the photographs from one on, in a circle, as a gate sums its frames.
func (r *run) probe(list []*face, from int) ([]float32, bool) {
	raws := make([]biometrics.Embedding, r.o.Fuse)
	for k := range raws {
		raws[k] = list[(from+k)%len(list)].Raw
	}
	sum, err := r.o.Model.Sum(raws...)
	if err != nil {
		return nil, false
	}
	return unit(r.o.Model.Project(sum)), true
}
