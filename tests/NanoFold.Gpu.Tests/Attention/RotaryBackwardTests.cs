using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Flash attention's gradients of queries and keys, turned back as they are stored: the bits of gradients that are stored and then turned back.</summary>
[Parallelizable]
public class RotaryBackwardTests
{
    private const int Positions = 90;

    private static IEnumerable<AttentionCase> Cases()
    {
        foreach (int depth in new[] { 32, 64, 128 })
        {
            yield return new(2, 70, 2, 1, depth) { Strided = true };
        }

        // Documents, a window, a prefix, gradients that are added to, and a head that is not as wide as its tile.
        yield return new(1, 150, 2, 1, 64) { DocumentLength = 40, Strided = true };
        yield return new(1, 90, 1, 1, 64) { Window = 20, Sinks = 3, Accumulates = true };
        yield return new(2, 80, 2, 2, 32) { Kind = VisibleKind.Prefix, Prefix = 30 };
        yield return new(1, 75, 2, 2, 48);
        yield return new(1, 33, 1, 1, 96) { Strided = true };
    }

    [TestCaseSource(nameof(Cases))]
    public void BitsAreThoseOfATurnAfterwards(AttentionCase problem)
    {
        foreach ((DType type, bool interleaved, bool isPart, bool hasPositions) in new[] { (DType.BFloat16, false, false, false), (DType.BFloat16, true, false, true), (DType.Float16, false, true, true), (DType.Float16, true, true, false) })
        {
            using var cpu = new CpuBackend(1);
            using var memory = new Memory(cpu);
            var turn = new Turn(memory, isPart ? 16 : problem.Depth, interleaved, hasPositions, problem.Batch);
            using FlashRig turned = new(problem, type) { Rotation = turn.Rotation }, plain = new(problem with { Accumulates = false }, type);
            float[][] before = turned.Forward(), actual = turned.Backward(), expected = plain.Run();
            Assert.That(problem.Accumulates || actual[4].AsSpan().SequenceEqual(expected[4]), "dv is not turned");
            float[][] old = problem.Accumulates ? Old(problem, type) : [];
            foreach (int which in new[] { 2, 3 })
            {
                int heads = which == 2 ? problem.Heads : problem.KeyHeads;
                float[] back = turn.Back(expected[which], problem.Time, heads, problem.Depth, type);
                back = problem.Accumulates ? [.. back.Select((value, i) => Turn.Round(value + old[which - 2][i], type))] : back;
                Assert.That(actual[which], Is.EqualTo(back), $"{(which == 2 ? "dq" : "dk")}, {type}{(interleaved ? ", interleaved" : "")}, {turn.Rotation.Width} turned");
            }

            Assert.That(before[0], Is.EqualTo(expected[0]), "y");
        }
    }

    [Test]
    public void WhatIsChangedIsSeen()
    {
        var problem = new AttentionCase(1, 40, 1, 1, 32);
        Assert.That(Changes(problem, text => text), Is.False, "as it is");
        Assert.That(Changes(problem, text => Last(text, "neg.f32", "abs.f32")), "the sign of a sine");
        Assert.That(Changes(problem, text => text.Replace("min.s32", "max.s32", StringComparison.Ordinal)), "which position it is");
    }

    [TestCase(64, 64, false, true)]
    [TestCase(64, 32, false, true)]
    [TestCase(64, 24, false, false)]
    [TestCase(64, 24, true, true)]
    [TestCase(64, 20, true, false)]
    [TestCase(32, 64, false, false)]
    public void PairsOfALaneAreTurned(int headDim, int width, bool interleaved, bool fits) => Assert.That(new FlashRotation(width, interleaved, HasPositions: false).Fits(headDim), Is.EqualTo(fits));

    private static bool Changes(AttentionCase problem, Func<string, string> edit)
    {
        using var cpu = new CpuBackend(1);
        using var memory = new Memory(cpu);
        var turn = new Turn(memory, problem.Depth, interleaved: false, hasPositions: false, problem.Batch);
        using FlashRig edited = new(problem, DType.BFloat16) { Rotation = turn.Rotation, Edit = edit }, whole = new(problem, DType.BFloat16) { Rotation = turn.Rotation };
        float[][] expected = whole.Run(), actual;
        try
        {
            actual = edited.Run();
        }
        catch (InvalidOperationException)
        {
            // It left its memory.
            return true;
        }

        return !actual[2].AsSpan().SequenceEqual(expected[2]) || !actual[3].AsSpan().SequenceEqual(expected[3]);
    }

    private static string Last(string text, string what, string with)
    {
        int at = text.LastIndexOf(what, StringComparison.Ordinal);
        Assert.That(at, Is.GreaterThan(0));
        return text[..at] + with + text[(at + what.Length)..];
    }

    // dq and dk before anything is added.
    private static float[][] Old(AttentionCase problem, DType type)
    {
        using var cpu = new CpuBackend(1);
        using var rig = new AttentionRig(cpu, problem, type);
        float[][] results = rig.Results();
        return [results[2], results[3]];
    }

    /// <summary>A rotation in memory, and what it does in single precision.</summary>
    private sealed class Turn
    {
        private readonly float[] _table;
        private readonly int[] _starts;

        public Turn(Memory memory, int width, bool interleaved, bool hasPositions, int batch)
        {
            _table = [.. NanoFold.Engine.Ops.RopeTable.Compute(Positions, width, 10000).Select(value => (float)value)];
            // The last tokens of some rows lie outside of the table.
            _starts = [.. Enumerable.Range(0, batch).Select(b => hasPositions ? 17 + (3 * b) : 0)];
            Rotation = new HeadRotation(memory.New(DType.Float32, [Positions, width], _table), hasPositions ? memory.Integers([batch], _starts) : default, interleaved);
        }

        public HeadRotation Rotation { get; }

        public float[] Back(float[] x, int time, int heads, int headDim, DType type)
        {
            int width = Rotation.Width, half = width / 2;
            float[] y = [.. x];
            for (int row = 0; row < x.Length / headDim; row++)
            {
                int token = row / heads, position = Math.Min((token % time) + _starts[token / time], Positions - 1);
                for (int i = 0; i < half; i++)
                {
                    int first = (row * headDim) + (Rotation.Interleaved ? 2 * i : i), second = first + (Rotation.Interleaved ? 1 : half);
                    float cos = _table[(position * width) + i], sin = -_table[(position * width) + half + i], a = x[first], b = x[second];
                    y[first] = Round(MathF.FusedMultiplyAdd(a, cos, -(b * sin)), type);
                    y[second] = Round(MathF.FusedMultiplyAdd(a, sin, b * cos), type);
                }
            }

            return y;
        }

        public static float Round(float value, DType type)
        {
            if (type == DType.Float16)
            {
                return (float)(Half)value;
            }

            uint bits = BitConverter.SingleToUInt32Bits(value);
            return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
        }
    }
}
