using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Gpu.Tests.Pointwise;

/// <summary>Formulas over parts of wider rows, as those of joined products are, four elements at once: to the bits of contiguous operands, and nothing beside them is touched.</summary>
public class FlatRowsTests : GpuTests
{
    // Rows [2, 3, width] of [2, 3, all] from start on; of 8 with a start or all that is no multiple of four they are read one by one.
    [TestCase(8, 24, 8)]
    [TestCase(12, 24, 0)]
    [TestCase(8, 24, 6)]
    [TestCase(8, 22, 8)]
    [TestCase(5, 20, 4)]
    public void PartsHaveTheBitsOfWholes(int width, int all, int start)
    {
        foreach (DType type in new[] { DType.Float32, DType.BFloat16, DType.Float16 })
        {
            using var memory = new Memory(Gpu);
            View gate = memory.Random(type, 1, 2, 3, all), dy = memory.Random(type, 2, 2, 3, width), both = memory.Random(type, 3, 2, 3, all);
            View a = Part(gate, start, width), b = Part(gate, 0, width), wholeA = memory.New(type, 2, 3, width), wholeB = memory.New(type, 2, 3, width);
            Gpu.Copy(a, wholeA);
            Gpu.Copy(b, wholeB);
            View made = memory.New(type, 2, 3, width), expected = memory.New(type, 2, 3, width);
            Gpu.Zip(default(GatedActivationOp<Silu>.Value), a, b, made);
            Gpu.Zip(default(GatedActivationOp<Silu>.Value), wholeA, wholeB, expected);
            Assert.That(memory.Read(made), Is.EqualTo(memory.Read(expected)), $"{type}");

            float[] before = memory.Read(both);
            View z = memory.New(type, 2, 3, width), wholeZ = memory.New(type, 2, 3, width), wholeY = memory.New(type, 2, 3, width);
            Gpu.Copy(Part(both, start, width), wholeY);
            Gpu.Zip(default(GatedActivationOp<Silu>.Gradients), a, b, dy, Part(both, start, width), accumulateY: true, z, accumulateZ: false);
            Gpu.Zip(default(GatedActivationOp<Silu>.Gradients), wholeA, wholeB, dy, wholeY, accumulateY: true, wholeZ, accumulateZ: false);
            Assert.That(memory.Read(z), Is.EqualTo(memory.Read(wholeZ)), $"{type}");
            float[] after = memory.Read(both), added = memory.Read(wholeY);
            for (int row = 0; row < 6; row++)
            {
                added[(row * width)..((row + 1) * width)].CopyTo(before, (row * all) + start);
            }

            Assert.That(after, Is.EqualTo(before), $"{type}");
        }
    }

    [Test]
    public void RowsAreFoundInAnyShape()
    {
        Layout all = Layout.Of(2, 5, 24);
        Assert.That(Pieces(all.Slice(2, 8, 8, out _), Layout.Of(2, 5, 8)), Is.EqualTo(2));
        Assert.That(Pieces(all.Slice(2, 0, 8, out _).SplitLast(2), Layout.Of(2, 5, 2, 4)), Is.EqualTo(2), "heads of a part");
        Assert.That(Pieces(all.Slice(1, 1, 3, out _), Layout.Of(2, 3, 24)), Is.EqualTo(18), "parts of another dimension");
        Assert.That(Pieces(all.Slice(2, 0, 6, out _), Layout.Of(2, 5, 6)), Is.Zero, "no pieces of four");
        Assert.That(Pieces(all.Slice(2, 0, 8, out _).Slice(1, 0, 3, out _), Layout.Of(2, 3, 8)), Is.Zero, "from row to row it is not always as far");
        Assert.That(Pieces(all.Slice(2, 0, 8, out _), all.Slice(2, 0, 8, out _).Permute(1, 0, 2)), Is.Zero, "another shape");
        Assert.That(Pieces(Layout.Of(2, 1, 24).Slice(2, 0, 8, out _).BroadcastTo(Layout.Of(2, 5, 8)), Layout.Of(2, 5, 8)), Is.Zero, "a part that is broadcast");
    }

    private static int Pieces(Layout x, Layout y)
    {
        View a = View.OfShape(x, DType.Float32), b = View.OfShape(y, DType.Float32);
        return FlatRows.Pieces(b, b, a, a, a);
    }

    private static View Part(View x, int start, int length)
    {
        Layout part = x.Layout.Slice(2, start, length, out long offset);
        return x.With(part, offset);
    }
}
