using NanoFold.Engine.Ops;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>Products by warpgroups that apply the formula of a gate, turn heads or sum rows where they end.</summary>
[Parallelizable]
internal sealed class WgmmaFusedTests
{
    internal static readonly GemmTile PairTile = new(128, 128, 16, 128, 128, 2, 1), Tile = new(128, 64, 16, 64, 128, 3, 1);
    private static readonly GateFormula s_silu = GatedActivationOp<Silu>.Formula;
    private static readonly GpuType[] s_types = [GpuType.BFloat16, GpuType.Float16];
    private static readonly GemmRotation s_rotation = new(32, 32, IsInterleaved: false, HasPositions: false);

    [TestCaseSource(nameof(Gates))]
    public void ResultsAreThoseOfTheFormula(object gated) => ((GatedCase)gated).Check();

    [TestCaseSource(nameof(Rotations))]
    public void BitsAreThoseOfAProductAndATurnAfterwards(object rotated) => ((RotatedCase)rotated).Check();

    [TestCaseSource(nameof(RowSums))]
    public void SumsAreThoseOfTheRowsThatAreStored(object rows) => ((RowSumTests.Case)rows).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileDoesThem(object tile)
    {
        var own = (GemmTile)tile;
        foreach (GatedCase gated in new[] { Gate(own.M + 8, own.N + 8, 96), Gate(own.M + 8, own.N + 8, 96) with { IsGradient = true } }.Where(g => Fits(new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, AlignA = 16, AlignB = 16, WideY = true, ColumnsB = !g.IsGradient, Gate = new(s_silu, g.IsGradient) }, own)))
        {
            (gated with { Tile = own }).Check();
        }

        if (Fits(new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, AlignA = 16, AlignB = 16, WideY = true }, own))
        {
            Turned(new(64, 64, false, true), own.M + 8, 2, 64, 96, own).Check();
            Turned(new(128, 128, true, false), own.M + 8, 2, 64, 96, own).Check();
            (Sums(own.M + 8, own.N + 9, 96) with { Tile = own }).Check();
        }
    }

    [Test]
    public void ArgumentsDoNotOverlap()
        => Assert.That((System.Runtime.CompilerServices.Unsafe.SizeOf<GemmArguments>(), WgmmaArguments.AtWatch + sizeof(long)), Is.EqualTo((WgmmaArguments.AtWatch, WgmmaArguments.AtA - 8)));

    /// <summary>On a card of 132 multiprocessors the products of a gpt2 step do all of these by warpgroups, where those are asked for.</summary>
    [Test]
    public void TheyAreChosenWhereWarpgroupsAreAskedFor([Values] bool isAskedFor, [Values(0, 1, 2, 3)] int kind)
    {
        var chooser = new GemmChooser(new GemmDeviceClass(90, 132, 228 * 1024, isAskedFor));
        int columns = kind switch { 0 => 4096, 1 => 2048, 2 => 2304, _ => 50257 };
        var problem = new GemmProblem
        {
            M = 16384, N = columns, K = 768, OuterCount = 1, InnerCount = 1, Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = kind != 1, Alpha = 1, StrideA = 1536, StrideB = kind == 1 ? 4096 : 1536,
            StrideY = kind == 3 ? 100528 : 8192, StrideGated = kind == 1 ? 8192 : 4096, Gate = kind < 2 ? new GemmGate(s_silu, IsGradient: kind == 1) : null,
            Rotation = kind == 2 ? new GemmRotation(64, 64, false, false) : null, Time = 1024, TurnedColumns = 1536, SumsRows = kind == 3,
        };
        Assert.That(chooser.FusionPays(problem, GpuPrecision.Float32));
        Assert.That(chooser.Choose(problem, GpuPrecision.Float32) is { Slices: 1, MustBeMeasured: false } choice && choice.Family == (isAskedFor ? GemmFamily.Wgmma : GemmFamily.Mma));
    }

    /// <summary>Halves of y that do not begin at 16 bytes, pairs that are not in one tile.</summary>
    [Test]
    public void WhatIsNotInWholeStoresIsForOthers()
    {
        var gated = new GemmProblem
        {
            M = 128, N = 128, K = 64, OuterCount = 1, InnerCount = 1, Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = true, Alpha = 1, StrideA = 128, StrideB = 128, StrideY = 256, StrideGated = 128,
            Gate = new GemmGate(s_silu, IsGradient: false),
        };
        GemmSpec pairs = WgmmaGemm.Spec(gated), turned = pairs with { Gate = null, Rotation = new GemmRotation(128, 128, false, false) };
        Assert.Multiple(() =>
        {
            Assert.That(WgmmaGemm.Fits(gated));
            Assert.That(WgmmaGemm.Fits(gated with { N = 120 }), Is.False, "halves of 60 columns");
            Assert.That(WgmmaGemm.Fits(gated with { Output = GpuType.Float32 }), Is.False);
            Assert.That(WgmmaGemm.Fits(pairs, PairTile));
            Assert.That(WgmmaGemm.Fits(pairs, PairTile with { N = 192 }), Is.False, "what gates multiply begins within 64 columns");
            Assert.That(WgmmaGemm.Fits(pairs with { ColumnsB = false }, PairTile), Is.False);
            Assert.That(WgmmaGemm.Fits(turned, PairTile));
            Assert.That(WgmmaGemm.Fits(turned, Tile), Is.False, "a head is in two tiles");
            Assert.That(WgmmaGemm.Fits(turned with { Rotation = new GemmRotation(128, 128, true, false) }, Tile));
            Assert.That(WgmmaGemm.Fits(pairs, PairTile with { Cluster = 2 }), Is.False);
        });
    }

    internal static GatedCase Gate(int rows, int columns, int depth) => new(s_silu, IsGradient: false, PairTile, GpuType.BFloat16, rows, columns, depth) { Family = GemmFamily.Wgmma, Architecture = 90 };

    internal static RotatedCase Turned(GemmRotation rotation, int rows, int heads, int rest, int depth, GemmTile tile)
        => new(tile, GpuType.BFloat16, rows, heads, rest, depth, rotation) { Family = GemmFamily.Wgmma, Architecture = 90, HasBias = rotation.HasPositions };

    internal static RowSumTests.Case Sums(int rows, int columns, int depth) => new(Tile, GpuType.BFloat16, rows, columns, depth) { Family = GemmFamily.Wgmma };

    private static bool Fits(GemmSpec spec, GemmTile tile) => WgmmaGemm.Fits(spec, tile) && WgmmaGemm.SharedBytes(spec, tile) <= 227 * 1024;

    private static IEnumerable<GatedCase> Gates()
        => (from formula in new[] { s_silu, GatedActivationOp<Gelu>.Formula, GatedActivationOp<GeluTanh>.Formula, ClampedGluOp.Formula }
            from isGradient in new[] { false, true }
            from type in s_types
            select Gate(128, 64, 200) with { Formula = formula, IsGradient = isGradient, Type = type, Tile = isGradient ? Tile : PairTile, HasBias = !isGradient })
            .Concat(
                from isGradient in new[] { false, true }
                from size in ((int M, int F, int K, int Pad)[])[(70, 40, 40, 0), (200, 136, 72, 8), (5, 88, 40, 0), (130, 8, 8, 8)]
                from schedule in PtxSchedule.All(1)
                select Gate(size.M, size.F, size.K) with { IsGradient = isGradient, Pad = size.Pad, Tile = isGradient ? Tile : PairTile, HasBias = !isGradient && size.Pad == 0, Schedule = schedule });

    private static IEnumerable<RotatedCase> Rotations()
        => from rotation in new[] { s_rotation, s_rotation with { IsInterleaved = true, HasPositions = true }, new(64, 64, false, true), new(32, 16, false, true), new(16, 16, false, false), new(24, 8, true, false), new(128, 128, false, false) }
           from schedule in PtxSchedule.All(1).Where((_, i) => i % 2 == 0)
           from type in s_types
           select Turned(rotation, 200, 3, 40, 72, rotation.HeadDim > 64 ? PairTile : Tile) with { Type = type, Schedule = schedule, StartsEarly = rotation.HasPositions };

    private static IEnumerable<RowSumTests.Case> RowSums()
        => from size in ((int M, int N, int K)[])[(70, 128, 72), (130, 37, 24), (64, 65, 8), (5, 7, 40), (256, 64, 64)]
           from type in s_types
           from last in new[] { false, true }
           select Sums(size.M, size.N, size.K) with { Type = type, Schedule = new() { LastWarpFirst = last } };

    private static IEnumerable<GemmTile> Tiles() => GemmTiles.Wgmma;
}
