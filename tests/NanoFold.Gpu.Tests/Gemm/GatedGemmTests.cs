using System.Text.RegularExpressions;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Products that apply the formula of a gate where they end.</summary>
internal sealed partial class GatedGemmTests
{
    private static readonly GateFormula s_silu = GatedActivationOp<Silu>.Formula;
    private static readonly GemmTile s_tile = new(64, 64, 32, 32, 64, 3, 0);
    private static readonly GatedCase s_case = new(s_silu, IsGradient: false, s_tile, GpuType.BFloat16, 64, 64, 128);

    [TestCaseSource(nameof(Kinds))]
    [TestCaseSource(nameof(Edges))]
    public void ResultsAreThoseOfTheFormula(object gated) => ((GatedCase)gated).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileHasItsPairs(object gated) => ((GatedCase)gated).Check();

    [Test]
    public void WhatIsMissingIsSeen()
    {
        Assert.That(Fails(s_case, text => text), Is.False, "as it is");
        Assert.That(Fails(s_case, text => text.Replace("bar.sync 0;", "", StringComparison.Ordinal)), "barriers");
        Assert.That(Fails(s_case, text => text.Replace("cp.async.wait_group 1;", "", StringComparison.Ordinal)), "waits for copies");
        Assert.That(Fails(s_case, text => Changed(text, Pair(), "$1, 31;")), "which columns make a pair");
        Assert.That(Fails(s_case, text => Changed(text, Half(), "$0\nxor.b32 $1, $1, 1;")), "gates and what they multiply, the wrong way round");
        GatedCase gradient = s_case with { IsGradient = true };
        Assert.That(Fails(gradient, text => text), Is.False, "as it is");
        Assert.That(Fails(gradient, text => Changed(text, Rounding(), "$1 $2, $3, $3;")), "the rounding of what comes back");
    }

    /// <summary>On a card of 132 multiprocessors a feed-forward's products do it, in one slice; without tensor cores they do not.</summary>
    [TestCase(90, GpuType.BFloat16, true)]
    [TestCase(80, GpuType.Float16, true)]
    [TestCase(70, GpuType.BFloat16, false)]
    public void ItIsChosenWhereThereAreTensorCores(int architecture, object type, bool isChosen)
    {
        var chooser = new GemmChooser(new GemmDeviceClass(architecture, 132, 228 * 1024));
        foreach (bool isGradient in new[] { false, true })
        {
            foreach (int rows in new[] { 256, 16384 })
            {
                var problem = new GemmProblem
                {
                    M = rows, N = isGradient ? 2048 : 4096, K = 768, OuterCount = 1, InnerCount = 1, Input = (GpuType)type, Output = (GpuType)type, ColumnsB = !isGradient, Alpha = 1,
                    StrideA = 1536, StrideB = 1536, StrideY = 8192, StrideGated = 4096, Gate = new GemmGate(s_silu, isGradient),
                };
                Assert.That(chooser.FusionPays(problem, GpuPrecision.Float32), Is.EqualTo(isChosen));
                if (isChosen)
                {
                    GemmChoice choice = chooser.Choose(problem, GpuPrecision.Float32);
                    Assert.That((choice.Family, choice.Slices), Is.EqualTo((GemmFamily.Mma, 1)));
                }
            }
        }
    }

    private static string Changed(string text, Regex what, string with)
    {
        string changed = what.Replace(text, with);
        Assert.That(changed, Is.Not.EqualTo(text), $"{what}");
        return changed;
    }

    private static bool Fails(GatedCase gated, Func<string, string> edit) => new[] { false, true }.Any(last =>
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            try
            {
                (gated with { Edit = edit, Schedule = new() { LastWarpFirst = last } }).Check();
                return false;
            }
            catch (AssertionException)
            {
                return true;
            }
        }
    });

    private static IEnumerable<GatedCase> Kinds()
        => from formula in new[] { s_silu, GatedActivationOp<Gelu>.Formula, GatedActivationOp<GeluTanh>.Formula, ClampedGluOp.Formula }
           from isGradient in new[] { false, true }
           from type in Enum.GetValues<GpuType>()
           select new GatedCase(formula, isGradient, s_tile, type, 64, 64, 200) { HasBias = !isGradient, Schedule = new() { LastWarpFirst = isGradient } };

    /// <summary>Rows, columns and depths that are no multiples of a tile, rows that do not begin at 16 bytes.</summary>
    private static IEnumerable<GatedCase> Edges()
        => from isGradient in new[] { false, true }
           from type in Enum.GetValues<GpuType>()
           from size in new[] { (70, 40, 43, 0), (33, 37, 24, 0), (70, 90, 72, 8), (5, 88, 40, 3), (130, 2, 8, 6) }
           from architecture in type == GpuType.Float32 ? new[] { 80, 90 } : [80]
           select new GatedCase(s_silu, isGradient, s_tile, type, size.Item1, size.Item2, size.Item3) { Pad = size.Item4, HasBias = !isGradient && size.Item4 == 0, Architecture = architecture };

    private static IEnumerable<GatedCase> Tiles()
        => from tile in GemmTiles.Mma
           from isGradient in new[] { false, true }
           from type in new[] { GpuType.BFloat16, GpuType.Float32 }
           select new GatedCase(s_silu, isGradient, tile, type, tile.M + 8, tile.N + 8, 96);

    // The place in a pair's half of 16 columns.
    [GeneratedRegex(@"(and\.b32 %r\d+, %r\d+), 15;")]
    private static partial Regex Pair();

    // Which half it is.
    [GeneratedRegex(@"shr\.u32 %r\d+, %r\d+, 4;\s+and\.b32 (%r\d+), %r\d+, 1;")]
    private static partial Regex Half();

    [GeneratedRegex(@"(cvt\.rn\.bf16x2\.f32) (%r\d+), (%f\d+), %f\d+;")]
    private static partial Regex Rounding();
}
