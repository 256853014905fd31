using NanoFold.Engine.Autograd;

namespace NanoFold.Tests.Autograd;

public class ArenaLayoutTests
{
    [Test]
    public void BlocksThatLiveAtOnceNeverOverlap()
    {
        var random = new Random(3);
        for (int trial = 0; trial < 50; trial++)
        {
            var layout = new ArenaLayout();
            (int Block, long Bytes, int First, int Last)[] blocks = [.. Enumerable.Range(0, 60).Select(_ =>
            {
                int first = random.Next(40), last = first + random.Next(12);
                long bytes = random.Next(1, 5000);
                int block = layout.Add(bytes, first);
                layout.Touch(block, last);
                return (block, bytes, first, last);
            })];
            long total = layout.Place();
            foreach (var a in blocks)
            {
                long start = layout.Offset(a.Block);
                Assert.That(start % 256, Is.Zero);
                Assert.That(start + a.Bytes, Is.LessThanOrEqualTo(total));
                Assert.That(blocks.Where(b => b.Block != a.Block && b.First <= a.Last && a.First <= b.Last),
                    Is.All.Matches<(int Block, long Bytes, int, int)>(b => layout.Offset(b.Block) >= start + a.Bytes || start >= layout.Offset(b.Block) + b.Bytes));
            }

            long most = Enumerable.Range(0, 60).Max(t => blocks.Where(b => b.First <= t && t <= b.Last).Sum(b => (b.Bytes + 255) / 256 * 256));
            Assert.That(total, Is.InRange(most, 2 * most));
        }
    }

    [Test]
    public void ABlockTakesThePlaceOfOneThatHasDied()
    {
        var layout = new ArenaLayout();
        int first = layout.Add(1000, 0), second = layout.Add(1000, 1), third = layout.Add(1000, 2);
        layout.Touch(first, 1);
        Assert.That(layout.Place(), Is.EqualTo(2048));
        Assert.That(layout.Offset(third), Is.EqualTo(layout.Offset(first)));
        Assert.That(layout.Offset(second), Is.Not.EqualTo(layout.Offset(first)));
    }
}
