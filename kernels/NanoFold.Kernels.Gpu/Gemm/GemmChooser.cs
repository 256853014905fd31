using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What matters of a device for the choice of a kernel.</summary>
/// <param name="Architecture">Compute capability, as in 90.</param>
/// <param name="Multiprocessors">There are.</param>
/// <param name="SharedBytes">Of shared memory a multiprocessor has.</param>
/// <param name="UsesWarpgroups">Products by warpgroups (<see cref="GemmFamily.Wgmma"/>) are among the choices.</param>
internal readonly record struct GemmDeviceClass(int Architecture, int Multiprocessors, int SharedBytes, bool UsesWarpgroups = false)
{
    /// <summary>Of shared memory a block can have.</summary>
    public int BlockSharedBytes => Architecture >= 80 ? SharedBytes - 1024 : Math.Min(SharedBytes, 48 * 1024);
}

/// <summary>A product's size and kind in every detail: what a decision is remembered by.</summary>
internal readonly record struct GemmShape(GemmSpec Spec, GpuPrecision Precision, int M, int N, int K, int Batch, int Groups);

/// <summary>
/// Chooses tile and slices of a product: the least estimated time of all candidates, or what was measured to be the best and given to <see cref="Keep"/>.
/// </summary>
internal sealed class GemmChooser(GemmDeviceClass device)
{
    private const int MostSlices = 32;

    /// <summary>Cycles that a second launch and the way through memory cost.</summary>
    private const double ReduceCycles = 4000, LaunchCycles = 1500, BytesPerCycle = 1500;

    /// <summary>Steps of depth that filling the stages and storing the results take the time of.</summary>
    private const int OverheadDepth = 96;

    private readonly Dictionary<GemmShape, GemmChoice> _choices = [];
    private readonly Dictionary<GemmProduct, GemmChoice> _kept = [];
    private readonly Dictionary<GemmShape, bool> _fusionPays = [];

    /// <summary>What was measured.</summary>
    public IReadOnlyDictionary<GemmProduct, GemmChoice> Kept => _kept;

    public GemmChoice Choose(in GemmProblem problem, GpuPrecision precision)
    {
        GemmShape shape = Shape(problem, precision);
        if (!_choices.TryGetValue(shape, out GemmChoice choice))
        {
            IReadOnlyList<GemmChoice> candidates = Candidates(problem, precision);
            choice = GemmProduct.Of(problem, precision) is { } product && _kept.TryGetValue(product, out GemmChoice kept) && candidates.Contains(kept) ? kept : candidates[0];
            _choices.Add(shape, choice);
        }

        return choice;
    }

    /// <summary>Uses <paramref name="choice"/> for such products from now on, where their operands allow it.</summary>
    public void Keep(in GemmProduct product, in GemmChoice choice)
    {
        _kept[product] = choice;
        _choices.Clear();
    }

    /// <summary>All that can be done, the best estimate first; what must be measured to be chosen comes after all others.</summary>
    public IReadOnlyList<GemmChoice> Candidates(in GemmProblem problem, GpuPrecision precision) => [.. Estimates(problem, precision).Select(c => c.Choice)];

    /// <summary>Whether a product that applies a formula or rotary positions to its results is estimated to be done before a plain one of the same size and what comes after it are.</summary>
    public bool FusionPays(in GemmProblem fused, GpuPrecision precision)
    {
        GemmShape shape = Shape(fused, precision);
        if (!_fusionPays.TryGetValue(shape, out bool pay))
        {
            // A gate and what it multiplies are read, and a result written; what is turned is read and written; rows that are summed are read by a launch that is there anyway.
            double elements = fused.Gate is { } gate ? 3.0 * gate.Columns(fused.N) : fused.SumsRows ? fused.N : 2.0 * fused.TurnedColumns;
            double after = (fused.SumsRows ? 0 : LaunchCycles) + elements * fused.M * fused.Output.Size() / BytesPerCycle;
            pay = Estimates(fused, precision) is [var best, ..] && best.Cycles <= Estimates(fused with { Gate = null, Rotation = null, SumsRows = false }, precision)[0].Cycles + after;
            _fusionPays.Add(shape, pay);
        }

        return pay;
    }

    private List<(double Cycles, GemmChoice Choice)> Estimates(in GemmProblem problem, GpuPrecision precision)
    {
        bool tensor = device.Architecture >= 80 && (problem.Input != GpuType.Float32 || precision == GpuPrecision.TensorFloat32);
        GemmSpec spec = problem.Spec();
        var candidates = new List<(double Cycles, GemmChoice Choice)>();
        if (spec.IsFused && !tensor)
        {
            return candidates;
        }

        if (!spec.IsFused && FewRowsGemm.Fits(problem, spec))
        {
            candidates.Add((LaunchCycles + MemoryCycles(problem), new GemmChoice(GemmFamily.FewRows, FewRowsGemm.Tile(problem.M))));
        }

        AddWarpgroups(problem, candidates);
        foreach (GemmTile tile in tensor ? GemmTiles.Mma : GemmTiles.Simt)
        {
            int shared = tensor ? MmaGemm.SharedBytes(tile) : SimtGemm.SharedBytes(tile);
            if (shared > device.BlockSharedBytes || (tensor && !MmaGemm.Fits(spec, tile)))
            {
                continue;
            }

            int depth = tile.DepthBytes / (tensor ? problem.Input.Size() : 4);
            for (int slices = 1; slices <= (CanSplit(problem) ? MostSlices : 1); slices += Math.Max(1, slices / 4))
            {
                if (slices == 1 || problem.K >= 4 * depth * slices)
                {
                    var choice = new GemmChoice(tensor ? GemmFamily.Mma : GemmFamily.Simt, tile, slices);
                    candidates.Add((Cycles(problem, choice, shared), choice));
                }
            }
        }

        return [.. candidates.OrderBy(c => c.Choice.MustBeMeasured).ThenBy(c => c.Cycles)];
    }

    private void AddWarpgroups(in GemmProblem problem, List<(double Cycles, GemmChoice Choice)> candidates)
    {
        if (!device.UsesWarpgroups || device.Architecture != WgmmaGemm.Architecture || !WgmmaGemm.Fits(problem))
        {
            return;
        }

        GemmSpec spec = WgmmaGemm.Spec(problem) with { Mode = CanSplit(problem) ? GemmMode.SumSlices : GemmMode.Batch };
        int rows = problem.M;
        foreach (GemmTile tile in GemmTiles.Wgmma.Concat(GemmTiles.Clusters.Where(tile => rows > tile.M)).Concat(GemmTiles.Streams))
        {
            int shared = WgmmaGemm.SharedBytes(spec, tile);
            if (shared > device.BlockSharedBytes || !WgmmaGemm.Fits(spec, tile))
            {
                continue;
            }

            int most = CanSplit(problem) && tile.Cluster == 1 && !tile.IsStream ? MostSlices : 1;
            for (int slices = 1; slices <= most; slices += Math.Max(1, slices / 4))
            {
                if (slices == 1 || problem.K >= 4 * WgmmaLayout.Depth * slices)
                {
                    var choice = new GemmChoice(GemmFamily.Wgmma, tile, slices);
                    candidates.Add((Cycles(problem, choice, shared), choice));
                }
            }
        }
    }

    private static GemmShape Shape(in GemmProblem problem, GpuPrecision precision)
        => new(problem.Spec(), precision, problem.M, problem.N, problem.K, problem.Batch, problem.Groups);

    private static bool CanSplit(in GemmProblem problem)
        => problem.Mode == GemmMode.Batch && problem.Batch == 1 && !problem.Spec().IsFused && (long)problem.M * problem.N <= 1 << 24;

    private double Cycles(in GemmProblem problem, in GemmChoice choice, int shared)
    {
        GemmTile tile = choice.Tile;
        double rows = problem.Mode == GemmMode.RowGroups ? problem.M / tile.M + problem.Groups : GemmProblem.Ceil(problem.M, tile.M);
        double depth = problem.Mode == GemmMode.DepthGroups ? (double)problem.K / problem.Groups : (double)problem.K / choice.Slices;
        double parts = problem.Mode == GemmMode.DepthGroups ? problem.Groups : problem.Mode == GemmMode.RowGroups ? 1 : problem.Batch * choice.Slices;
        double blocks = rows * GemmProblem.Ceil(problem.N, tile.N) * parts;

        // As many blocks run on a multiprocessor as fit, and share its rate, which takes eight warps to reach.
        double fit = Math.Max(1, Math.Min(tile.Blocks, device.SharedBytes / (shared + 1024)));
        double resident = Math.Min(fit, Math.Ceiling(blocks / device.Multiprocessors));
        double rounds = Math.Ceiling(blocks / (device.Multiprocessors * resident));
        double filled = Math.Min(1, 0.4 + resident * tile.Threads / 32 * 0.6 / 8);
        double cycles = rounds * resident * tile.M * tile.N * (depth + OverheadDepth) / (Rate(problem, choice) * Reuse(tile) * filled);
        cycles = LaunchCycles + Math.Max(Spills(problem, tile) ? 1.02 * cycles : cycles, MemoryCycles(problem));
        return choice.Slices == 1 ? cycles : cycles + ReduceCycles + (choice.Slices + 1) * 4.0 * problem.M * problem.N / BytesPerCycle;
    }

    /// <summary>Whether the assembler keeps a few of a thread's numbers in memory: with tf32 in the largest tiles, where a step is 32 deep; a step of half of that has registers for all.</summary>
    private static bool Spills(in GemmProblem problem, GemmTile tile) => problem.Input == GpuType.Float32 && tile is { WarpM: 64, WarpN: 64, DepthBytes: 128 };

    /// <summary>Cycles of reading a and b and writing y once.</summary>
    private static double MemoryCycles(in GemmProblem problem)
    {
        double a = (double)problem.M * problem.K, b = (double)problem.K * problem.N, y = (double)problem.M * problem.N;
        return problem.Batch * ((a + b * Math.Max(1, problem.Groups)) * problem.Input.Size() + y * problem.Output.Size()) / BytesPerCycle;
    }

    /// <summary>Multiply-adds of a multiprocessor per cycle at best.</summary>
    private double Rate(in GemmProblem problem, in GemmChoice choice)
    {
        if (choice.Family == GemmFamily.Simt)
        {
            return 110;
        }

        double rate = choice.Family == GemmFamily.Wgmma ? 1650 : device.Architecture is 80 or >= 90 ? 1000 : 512;
        return problem.Input == GpuType.Float32 ? rate / 2 : rate;
    }

    /// <summary>Smaller tiles load more for what they compute.</summary>
    private static double Reuse(GemmTile tile) => Math.Min(1, 0.45 + 0.55 * 2 * tile.M * tile.N / (tile.M + tile.N) / 128.0);
}

/// <summary>What products of Float32 operands are computed with; 16-bit operands use tensor cores wherever there are some.</summary>
internal enum GpuPrecision
{
    Float32,

    /// <summary>Operands rounded to 10 bits of mantissa, sums in float.</summary>
    TensorFloat32,
}
