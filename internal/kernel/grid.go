package kernel

import "github.com/refrain-lm/refrain/internal/parallel"

// tileHeight is the largest number of rows in one tile of C, where B is stored so.
func tileHeight(s Storage) int {
	switch {
	case useAMX && s == Pairs:
		return amxRows
	case useAVX512:
		return wideHighest
	}
	return 6
}

// tileCount is the number of tiles of at most such a height that m rows are cut
// into. Their heights differ by at most one, the larger come first: 20 rows are 5,
// 5, 5, 5.
func tileCount(m, highest int) int { return (m + highest - 1) / highest }

// tileStart is the first row of tile t of m rows.
func tileStart(m, highest, t int) int {
	tiles := tileCount(m, highest)
	if tiles == 0 {
		return 0
	}
	return t*(m/tiles) + min(t, m%tiles)
}

// grid divides the tiles and panels of a product over workers: each gets one
// rectangle.
type grid struct{ tiles, panels, byTiles, byPanels int }

// divide chooses the grid whose largest rectangle is smallest, where a tile
// costs each worker that has it as much as the given number of panels more;
// where two are equal, the one that cuts panels more often, which leaves each
// worker fewer weights to read.
func divide(workers, tiles, panels, more int) grid {
	best, bestCost := grid{}, 0
	for byTiles := 1; byTiles <= workers; byTiles++ {
		if workers%byTiles != 0 {
			continue
		}
		byPanels := workers / byTiles
		cost := ((tiles + byTiles - 1) / byTiles) * ((panels+byPanels-1)/byPanels + more)
		if bestCost == 0 || cost < bestCost {
			best, bestCost = grid{tiles, panels, byTiles, byPanels}, cost
		}
	}
	return best
}

// part is the rectangle of one worker, which may be empty.
func (g grid) part(worker int) (t0, t1, p0, p1 int) {
	t0, t1 = parallel.Split(g.tiles, 1, g.byTiles, worker/g.byPanels)
	p0, p1 = parallel.Split(g.panels, 1, g.byPanels, worker%g.byPanels)
	return t0, t1, p0, p1
}
