using System.Numerics;
using NanoFold.Kernels.Gpu.Norm;

namespace NanoFold.Gpu.Tests.Norm;

[Parallelizable]
public class NormSplitTests
{
    [Test]
    public void LanesHoldRowsAsLongAsAGroupCan([Values(6, 8)] int most, [Values] bool hasWarps)
    {
        for (int width = 1; width < 9000; width++)
        {
            var split = new NormSplit(hasWarps, 256, width, most);
            Assert.That(BitOperations.IsPow2(split.Lanes) && split.Lanes <= 256, $"{width}: {split}");
            Assert.That(split.Pieces, hasWarps ? Is.AnyOf(1, 2, 3, 4, 6, 8).And.LessThanOrEqualTo(most) : Is.EqualTo(2), $"{width}");
            Assert.That(split.Holds(width), Is.EqualTo(width <= 4 * 256 * (hasWarps ? most : 2)), $"{width}: {split}");
        }
    }

    [Test]
    public void RowsOfTheUsualWidthsHaveAWarpEach([Values(128, 256, 384, 512, 768)] int width)
    {
        var split = new NormSplit(hasWarps: true, 256, width, 6);
        Assert.That((split.Lanes, split.Lanes * split.Pieces * 4), Is.EqualTo((32, width)));
    }
}
