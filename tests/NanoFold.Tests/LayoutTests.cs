using FsCheck;
using FsCheck.Fluent;
using NanoFold.Kernels;
using NanoFold.Tests.Cpu;

namespace NanoFold.Tests;

public class LayoutTests
{
    private static readonly Config s_config = Config.QuickThrowOnFailure.WithReplay(20250101UL, 7UL).WithMaxTest(300);

    [Test]
    public void ContiguousLayoutsCountThroughMemory() => ForShapes(shape =>
    {
        Layout layout = Layout.Of(shape);
        return layout.IsContiguous
            && layout.ToShape().SequenceEqual(shape)
            && layout.Count == shape.Aggregate(1L, (a, b) => a * b)
            && layout.Extent == layout.Count
            && Guarded.Offsets(layout).SequenceEqual(Enumerable.Range(0, (int)layout.Count).Select(i => (long)i));
    });

    [Test]
    public void PermutingAndBackIsTheSame() => ForShapes(shape =>
    {
        int[] axes = Enumerable.Range(0, shape.Length).OrderBy(i => (i * 7 + shape[0]) % 5).ToArray();
        int[] back = axes.Select((a, i) => (a, i)).OrderBy(p => p.a).Select(p => p.i).ToArray();
        Layout layout = Layout.Of(shape), permuted = layout.Permute(axes);
        return permuted.Permute(back) == layout
            && permuted.Count == layout.Count
            && permuted.Extent == layout.Extent
            && Guarded.Offsets(permuted).Order().SequenceEqual(Guarded.Offsets(layout))
            && axes.Select((a, i) => permuted[i] == shape[a] && permuted.Stride(i) == layout.Stride(a)).All(ok => ok);
    });

    [Test]
    public void SlicesAreThePartOfTheirAxis() => ForShapes(shape =>
    {
        Layout layout = Layout.Of(shape);
        for (int axis = 0; axis < shape.Length; axis++)
        {
            int start = shape[axis] / 3, length = (shape[axis] - start + 1) / 2;
            Layout slice = layout.Slice(axis, start, length, out long offset);
            long stride = layout.Stride(axis), block = stride * shape[axis];
            IEnumerable<long> expected = Guarded.Offsets(layout).Where(o => o % block / stride >= start && o % block / stride < start + length);
            if (!Guarded.Offsets(slice).Select(o => o + offset).SequenceEqual(expected) || slice.Extent + offset > layout.Extent)
            {
                return false;
            }
        }

        return true;
    });

    [Test]
    public void BroadcastReadsElementsAgain() => ForShapes(shape =>
    {
        // Every second dimension has length 1 in the source; leading ones of those are missing.
        int[] own = shape.Select((n, i) => i % 2 == 0 ? 1 : n).SkipWhile(n => n == 1).ToArray();
        Layout target = Layout.Of(shape), source = Layout.Of(own), broadcast = source.BroadcastTo(target);
        long[] expected = Guarded.Offsets(target).Select((_, index) =>
        {
            long rest = index, offset = 0;
            for (int i = shape.Length - 1; i >= 0; i--)
            {
                int axis = i - (shape.Length - own.Length);
                offset += axis >= 0 && own[axis] > 1 ? rest % shape[i] * source.Stride(axis) : 0;
                rest /= shape[i];
            }

            return offset;
        }).ToArray();
        return broadcast.SameShape(target) && Guarded.Offsets(broadcast).SequenceEqual(expected) && broadcast.Extent == source.Extent;
    });

    [Test]
    public void SplitLastKeepsTheOrderOfElements() => ForShapes(shape =>
    {
        if (shape.Length == Layout.MaxRank)
        {
            return true;
        }

        Layout layout = Layout.Of(shape), strided = Layout.Of([.. shape[..^1], shape[^1] + 3]).Slice(-1, 1, shape[^1], out _);
        return Enumerable.Range(1, shape[^1]).Where(outer => shape[^1] % outer == 0).All(outer =>
            Guarded.Offsets(layout.SplitLast(outer)).SequenceEqual(Guarded.Offsets(layout))
            && Guarded.Offsets(strided.SplitLast(outer)).SequenceEqual(Guarded.Offsets(strided)));
    });

    [Test]
    public void ReshapeKeepsTheOrderOfElements() => ForShapes(shape =>
    {
        Layout layout = Layout.Of(shape);
        return layout.Reshape((int)layout.Count).Reshape(shape) == layout && layout.Reshape(1, (int)layout.Count, 1).IsContiguous;
    });

    [Test]
    public void EqualityIsOfShapeAndStrides() => ForShapes(shape =>
    {
        Layout layout = Layout.Of(shape), same = Layout.Of(shape), longer = Layout.Of([.. shape[..^1], shape[^1] + 1]);
        Layout slice = longer.Slice(-1, 0, shape[^1], out _);
        return layout == same && layout.GetHashCode() == same.GetHashCode() && layout != longer && slice.SameShape(layout)
            && (slice == layout) == (shape.Length == 1) && layout.Equals((object)same) && !layout.Equals("layout");
    });

    [Test]
    public void WrongArgumentsAreNamed()
    {
        Layout layout = Layout.Of(3, 4), transposed = layout.Permute(1, 0);
        Assert.Multiple(() =>
        {
            Assert.That(() => Layout.Of(1, 2, 3, 4, 5, 6, 7), Throws.ArgumentException.With.Message.Contains("at most 6"));
            Assert.That(() => Layout.Of(2, 0), Throws.ArgumentException.With.Message.Contains("dimension 1 is 0"));
            Assert.That(() => Layout.Of(int.MaxValue, int.MaxValue, int.MaxValue), Throws.InstanceOf<OverflowException>());
            Assert.That(() => layout.Reshape(5), Throws.ArgumentException.With.Message.EqualTo("reshape: [3, 4] cannot be seen as [5]"));
            Assert.That(() => transposed.Reshape(12), Throws.ArgumentException.With.Message.Contains("[4, 3] cannot be seen as [12]"));
            Assert.That(() => layout.Permute(0), Throws.ArgumentException.With.Message.Contains("2 dimensions, got 1"));
            Assert.That(() => layout.Permute(0, 0), Throws.ArgumentException.With.Message.Contains("each axis once"));
            Assert.That(() => layout.Permute(0, 2), Throws.ArgumentException);
            Assert.That(() => layout.Permute(0, -1), Throws.ArgumentException);
            Assert.That(() => layout.Permute(0, 9), Throws.ArgumentException);
            Assert.That(() => layout.Slice(1, 2, 3, out _), Throws.ArgumentException.With.Message.Contains("[2, 5) is outside dimension 1"));
            Assert.That(() => layout.Slice(1, -1, 2, out _), Throws.ArgumentException);
            Assert.That(() => layout.Slice(0, 0, 0, out _), Throws.ArgumentException);
            Assert.That(() => layout.SplitLast(3), Throws.ArgumentException.With.Message.Contains("3 does not divide"));
            Assert.That(() => layout.BroadcastTo(Layout.Of(4, 4)), Throws.ArgumentException.With.Message.EqualTo("broadcast: [3, 4] does not fit [4, 4]"));
            Assert.That(() => layout.BroadcastTo(Layout.Of(4)), Throws.ArgumentException);
            Assert.That(() => layout[2], Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("no dimension 2"));
            Assert.That(() => layout.Stride(-3), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    private static void ForShapes(Func<int[], bool> property)
    {
        Gen<int[]> shapes = from rank in Gen.Choose(1, Layout.MaxRank)
                            from shape in Gen.Choose(1, rank > 4 ? 3 : 6).ArrayOf(rank)
                            select shape;
        Check.One(s_config, Prop.ForAll(shapes.ToArbitrary(), property));
    }
}
