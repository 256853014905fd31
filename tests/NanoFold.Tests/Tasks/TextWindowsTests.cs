using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Tests.Data;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Tasks;

public sealed class TextWindowsTests
{
    [TestCase(2, 4, 3)]
    [TestCase(9, 4, 3)]
    [TestCase(10, 4, 3)]
    [TestCase(101, 10, 4)]
    [TestCase(102, 10, 4)]
    public void EveryTokenButTheFirstIsATargetOnce(int count, int context, int batch)
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, count);
        var source = new TextBatches(shard, "x", batch, context);
        var seen = new List<int>();
        for (long index = 0; index < source.Batches; index++)
        {
            int real = source.Fill(index);
            int[] tokens = source.Tokens, targets = source.Targets, documents = source.Documents;
            Assert.That(targets.Count(target => target >= 0), Is.EqualTo(real));
            for (int i = 0; i < targets.Length; i++)
            {
                if (targets[i] >= 0)
                {
                    Assert.That(tokens[i], Is.EqualTo(targets[i] - 1));
                    seen.Add(targets[i]);
                }

                Assert.That(documents[i], Is.EqualTo(targets[i] >= 0 ? 0 : -1));
            }
        }

        Assert.That(seen, Is.EqualTo(Enumerable.Range(1, count - 1)));
        Assert.That(source.Windows, Is.EqualTo((count - 2) / context + 1));
    }

    [Test]
    public void APartOfTheWindowsIsSpacedEvenly()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 101);
        var source = new TextBatches(shard, "x", batch: 4, context: 10, windows: 4);
        Assert.That((source.Windows, source.Batches), Is.EqualTo((4L, 1L)));
        Assert.That(source.Fill(0), Is.EqualTo(40));
        Assert.That(source.Tokens.Where((_, i) => i % 10 == 0), Is.EqualTo(new[] { 0, 20, 50, 70 }));
        Assert.That(new TextBatches(shard, "x", 4, 10, windows: 1000).Windows, Is.EqualTo(10));
    }

    [Test]
    public void TooLittleTextIsOneLine()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 1);
        Assert.That(
            () => new TextBatches(shard, "poem.txt", 1, 8),
            Throws.TypeOf<UserException>().With.Message.StartsWith("poem.txt: has 1 tokens to validate with, but at least 2 are needed"));
    }
}
