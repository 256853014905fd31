using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Full;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Which tiles the portable kernels visit: those in which something is visible, counted.</summary>
[Parallelizable]
public class TileWalkTests
{
    private const int Rows = 64, Tile = TileGroup.Columns;

    private static IEnumerable<AttentionCase> Cases()
    {
        yield return new(1, 256, 1, 1, 4);
        yield return new(1, 256, 1, 1, 4) { Window = 40, Sinks = 5 };
        yield return new(1, 256, 1, 1, 4) { Kind = VisibleKind.Full, Window = 40, Sinks = 70 };
        yield return new(1, 256, 1, 1, 4) { Kind = VisibleKind.Prefix, Prefix = 100 };
        yield return new(1, 512, 1, 1, 4) { DocumentLength = 64 };
        yield return new(1, 512, 1, 1, 4) { Kind = VisibleKind.Full, DocumentLength = 96 };
        yield return new(1, 256, 2, 1, 4) { QuerySize = 64, KeySize = 32, Kind = VisibleKind.Full };
        yield return new(1, 256, 2, 1, 4) { QuerySize = 128, KeySize = 64, DocumentLength = 128 };
    }

    [TestCaseSource(nameof(Cases))]
    public void TilesInWhichNothingIsVisibleAreNotVisited(AttentionCase problem)
    {
        using GpuBackend backend = GpuDevices.OpenSimulator(threads: 16);
        GpuContext context = backend.Context;
        using var rig = new AttentionRig(backend, problem, DType.Float32);
        var shape = new AttentionShape("attention", rig.Args);
        int pairs = problem.Batch * problem.Heads, tiles = problem.KeyCount / Tile;
        using MemoryBuffer1D<int, Stride1D.Dense> reach = context.Accelerator.Allocate1D<int>(Math.Max(1, (int)DocumentReach.Length(shape)));
        using MemoryBuffer1D<int, Stride1D.Dense> keys = context.Accelerator.Allocate1D<int>(pairs * (problem.Time / Rows) * tiles);
        using MemoryBuffer1D<int, Stride1D.Dense> queries = context.Accelerator.Allocate1D<int>(pairs * (problem.KeyCount / Rows) * tiles);
        keys.MemSetToZero();
        queries.MemSetToZero();
        VisibleView seen = VisibleView.Of(context, shape, rig.Args.Visible, reach.View.AsContiguous());
        var rule = VisibleView.Of(context, rig.Args.Visible, problem.Batch, problem.Heads, problem.Time, problem.KeyCount);
        context.Launch(new TileCountWork { Seen = seen, Keys = keys.View.AsContiguous(), Queries = queries.View.AsContiguous(), Rows = Rows }, pairs * (problem.Time / Rows), 1);
        context.Stream.Synchronize();
        int[] visitedKeys = keys.GetAsArray1D(), visitedQueries = queries.GetAsArray1D();
        for (int at = 0; at < visitedKeys.Length; at++)
        {
            int tile = at % tiles, block = at / tiles % (problem.Time / Rows), pair = at / tiles / (problem.Time / Rows);
            bool isSeen = Pairs(block * Rows, Rows, tile * Tile, Tile).Any(p => Sees(pair, p.T, p.J));
            Assert.That(visitedKeys[at], Is.EqualTo(isSeen ? 1 : 0), $"keys from {tile * Tile} by queries from {block * Rows} of head {pair}");

            // Tiles of queries are visited by groups of keys, which a block that is smaller cuts.
            int rows = problem.KeySize > 0 ? Math.Min(Rows, problem.KeySize) : Rows;
            isSeen = Pairs(tile * Tile, Tile, block * Rows, rows).Any(p => Sees(pair, p.T, p.J));
            Assert.That(visitedQueries[at], Is.EqualTo(isSeen ? 1 : 0), $"queries from {tile * Tile} by keys from {block * Rows} of head {pair}");
        }

        bool Sees(int pair, int t, int j) => VisibleRow.Of(rule, pair, t).Sees(j);
    }

    private static IEnumerable<(int T, int J)> Pairs(int first, int queries, int key, int keys)
        => from t in Enumerable.Range(first, queries) from j in Enumerable.Range(key, keys) select (t, j);
}

/// <summary>Marks the tiles that groups of queries and of keys visit. A thread takes a group of each.</summary>
internal struct TileCountWork : IGpuWork<TileCountWork>
{
    public VisibleView Seen;
    public ArrayView<int> Keys, Queries;
    public int Rows;

    public static void Run(TileCountWork w)
    {
        int blocks = w.Seen.Time / w.Rows, tiles = w.Seen.Keys / TileGroup.Columns, pair = Grid.IdxX / blocks, batch = pair / w.Seen.Heads;
        VisibleView seen = w.Seen.InRow(batch);
        int first = Grid.IdxX % blocks * w.Rows, keyRows = IntrinsicMath.Min(w.Rows, seen.Blocks.KeySize);
        KeyWalk keys = KeyWalk.Of(seen, batch, pair, first, first + w.Rows - 1);
        while (keys.Next(seen, batch))
        {
            w.Keys[Grid.IdxX * tiles + keys.Key / TileGroup.Columns] += 1;
        }

        QueryWalk queries = QueryWalk.Of(seen, batch, pair, first, first + keyRows - 1);
        while (queries.Next(seen, batch))
        {
            w.Queries[Grid.IdxX * tiles + queries.Query / TileGroup.Columns] += 1;
        }
    }
}
