using System.Text.RegularExpressions;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Products that leave of each row the largest results of parts of it, and sums of exponentials beside them: those of the results that are stored, which have the bits of a plain product.</summary>
[Parallelizable]
internal sealed partial class RowSumTests
{
    private static readonly GemmTile s_tile = new(64, 64, 32, 32, 64, 3, 0);

    [TestCaseSource(nameof(Cases))]
    public void SumsAreThoseOfTheRowsThatAreStored(object rows) => ((Case)rows).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileSumsItsRows(object rows) => ((Case)rows).Check();

    [Test]
    public void WhatIsMissingIsSeen()
    {
        var rows = new Case(s_tile, GpuType.BFloat16, 70, 37, 40);
        Assert.That(Fails(rows, text => text), Is.False, "as it is");
        Assert.That(Fails(rows, text => Changed(text, Shuffle(), "mov.b32 $1, $2;")), "what other lanes have");
        Assert.That(Fails(rows, text => Changed(text, Hidden(), "mov.f32 $1, $2;")), "columns that are not there");
        Assert.That(Fails(rows, text => Changed(text, Largest(), "mov.f32 $1, $2;")), "the largest");
    }

    /// <summary>The head of a model of 50,257 tokens on a card of 132 multiprocessors; not in single precision.</summary>
    [TestCase(GpuType.BFloat16, true)]
    [TestCase(GpuType.Float32, false)]
    public void ItIsChosenForHeads(object type, bool isChosen)
    {
        var input = (GpuType)type;
        var problem = new GemmProblem
        {
            M = 4096, N = 50257, K = 768, OuterCount = 1, InnerCount = 1, Input = input, Output = input, ColumnsB = true, Alpha = 1, StrideA = 768L * input.Size(), StrideB = 768L * input.Size(), StrideY = 50264L * input.Size(),
            SumsRows = true,
        };
        var chooser = new GemmChooser(new GemmDeviceClass(90, 132, 228 * 1024));
        Assert.That(chooser.FusionPays(problem, GpuPrecision.Float32), Is.EqualTo(isChosen));
        Assert.That(!isChosen || chooser.Choose(problem, GpuPrecision.Float32) is { Family: GemmFamily.Mma, Slices: 1 });
    }

    private static IEnumerable<Case> Cases()
        => from type in Enum.GetValues<GpuType>()
           from size in new[] { (70, 128, 72), (33, 37, 24), (64, 65, 8), (5, 7, 40) }
           from last in new[] { false, true }
           select new Case(s_tile, type, size.Item1, size.Item2, size.Item3) { Schedule = new() { LastWarpFirst = last } };

    private static IEnumerable<Case> Tiles()
        => from tile in GemmTiles.Mma
           from type in new[] { GpuType.BFloat16, GpuType.Float32 }
           select new Case(tile, type, tile.M + 8, tile.N + 9, 96);

    private static string Changed(string text, Regex what, string with)
    {
        string changed = what.Replace(text, with);
        Assert.That(changed, Is.Not.EqualTo(text), $"{what}");
        return changed;
    }

    private static bool Fails(Case rows, Func<string, string> edit)
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            try
            {
                (rows with { Edit = edit }).Check();
                return false;
            }
            catch (AssertionException)
            {
                return true;
            }
        }
    }

    [GeneratedRegex(@"shfl\.sync\.bfly\.b32 (%f\d+), (%f\d+), \d, 31, -1;")]
    private static partial Regex Shuffle();

    [GeneratedRegex(@"selp\.f32 (%f\d+), 0fFF800000, (%f\d+), %p\d+;")]
    private static partial Regex Hidden();

    [GeneratedRegex(@"max\.f32 (%f\d+), (%f\d+), %f\d+;")]
    private static partial Regex Largest();

    /// <summary>A product of rows of logits.</summary>
    internal sealed record Case(GemmTile Tile, GpuType Type, int M, int N, int K)
    {
        public GemmFamily Family { get; init; } = GemmFamily.Mma;

        public PtxSchedule Schedule { get; init; } = new();

        /// <summary>What is done to the kernel's text, to see that the machine notices.</summary>
        public Func<string, string>? Edit { get; init; }

        public override string ToString() => $"{Family} {Tile} {Type} {M}x{N}x{K}{(Schedule.LastWarpFirst ? " last warp first" : "")}";

        public void Check()
        {
            int parts = GemmRowSums.Parts(Tile, N);
            using MachineDevice device = new() { Schedule = Schedule, Edit = Edit }, plain = new();
            (double[] y, float[] sums) = Run(device, parts, sumsRows: true);
            (double[] expected, _) = Run(plain, parts, sumsRows: false);
            Assert.That(y, Is.EqualTo(expected), $"{this}: y");
            for (int i = 0; i < M * parts; i++)
            {
                int row = i / parts, first = i % parts * Tile.WarpN, count = Math.Clamp(N - first, 0, Tile.WarpN);
                double[] own = [.. y.Skip((row * N) + first).Take(count)];
                float most = own.Length == 0 ? GemmRowSums.Least : (float)own.Max();
                Assert.That(sums[2 * i], Is.EqualTo(most), $"{this}: the largest of part {i % parts} of row {row}");
                double sum = own.Sum(value => Math.Exp(value - most));
                Assert.That(sums[(2 * i) + 1], Is.EqualTo(sum).Within(2e-6 * sum), $"{this}: the sum of part {i % parts} of row {row}");
            }
        }

        private unsafe (double[] Y, float[] Sums) Run(MachineDevice device, int parts, bool sumsRows)
        {
            var random = new Random((M * 31) + (N * 7) + K);
            // Rows of logits begin at 16 bytes, whatever their length.
            int pad = (8 - (N % 8)) % 8;
            Matrices a = new(device, random, Type, 1, M, K, 0, 0), b = new(device, random, Type, 1, N, K, 0, 0), y = new(device, random, Type, 1, M, N, pad, 0);
            long address = device.Allocate(2L * sizeof(float) * M * parts);
            var problem = new GemmProblem
            {
                A = a.Address, B = b.Address, Y = y.Address, StrideA = a.RowBytes, StrideB = b.RowBytes, StrideY = y.RowBytes, M = M, N = N, K = K, OuterCount = 1, InnerCount = 1, Input = Type, Output = Type,
                ColumnsB = true, Alpha = 1, SumsRows = sumsRows, RowSums = address,
            };
            GemmRun.Run(device, problem, new GemmChoice(Family, Tile));
            return (y.Read(), new Span<float>((void*)address, 2 * M * parts).ToArray());
        }
    }
}
