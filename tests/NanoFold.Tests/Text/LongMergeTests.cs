using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

/// <summary>The ways to merge a long piece give what merging one pair at a time gives.</summary>
public class LongMergeTests
{
    // Symbols 0 to 2; the last merges use one that is made later, and one rank has two pairs.
    private static readonly BpeMerge[] s_inOrder = [new(0, 0, 3), new(0, 1, 4), new(3, 3, 5), new(4, 4, 6), new(5, 0, 7), new(2, 4, 8), new(1, 0, 9), new(8, 9, 10)];
    private static readonly int[] s_ranks = [0, 1, 2, 3, 4, 5, 5, 6];

    [Test]
    public void AllWaysAgree([Values] bool ranked)
    {
        var table = new MergeTable(s_inOrder, ranked ? s_ranks : null);
        Assert.That(table.InOrder);
        var random = new Random(4);
        int[] bytes = [.. Enumerable.Range(0, 256).Select(value => value % 3)];
        for (int i = 0; i < 200; i++)
        {
            byte[] piece = [.. Enumerable.Range(0, random.Next(1, 12)).SelectMany(_ => Enumerable.Repeat((byte)random.Next(3), random.Next(1, i % 2 == 0 ? 3 : 9)))];
            int[] symbols = [.. piece.Select(value => (int)value)];
            List<int> expected = OneByOne(symbols, ranked), byRanks = [], byHeap = [], byRuns = [];
            BpeLongMerge.ByRanks(table, (int[])symbols.Clone(), byRanks);
            BpeLongMerge.ByHeap(table, (int[])symbols.Clone(), byHeap);
            Assert.That(byRanks, Is.EqualTo(expected));
            Assert.That(byHeap, Is.EqualTo(expected));
            if (new BpeRunMerge(table).TryMerge<byte>(piece, bytes, byRuns))
            {
                Assert.That(byRuns, Is.EqualTo(expected));
            }
        }
    }

    [Test]
    public void MergesOutOfOrderAreDoneByTheHeap()
    {
        // "0 0" is made last, but what it makes merges first.
        var table = new MergeTable([new(3, 1, 4), new(0, 0, 3)]);
        Assert.That(table.InOrder, Is.False);
        int[] symbols = [.. Enumerable.Repeat((int[])[0, 0, 1], 40).SelectMany(part => part)];
        var ids = new List<int>();
        new BpeWorker(table).Merge(symbols, ids);
        Assert.That(ids, Is.EqualTo(Enumerable.Repeat(4, 40)));
    }

    [Test]
    public void MegabytesOfOneLetterTakeLittleMemory()
    {
        byte[] text = new byte[8 << 20];
        Array.Fill(text, (byte)'a');
        var trainer = new BpeTrainer();
        trainer.Add(text.AsSpan(0, 4096));
        BpeTokenizer tokenizer = trainer.Train(264);
        var ids = new List<int>(1 << 18);
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokenizer.Encode(text, ids);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(8 << 20));
        Assert.That(ids.Sum(id => (long)tokenizer.BytesOf(id).Length), Is.EqualTo(text.Length));
        Assert.That(ids, Has.Count.EqualTo(text.Length / 256));
    }

    private static List<int> OneByOne(int[] symbols, bool ranked)
    {
        List<int> tokens = [.. symbols];
        while (true)
        {
            (int Rank, int Place, int Merged) best = (int.MaxValue, 0, 0);
            for (int i = 0; i + 1 < tokens.Count; i++)
            {
                int found = Array.FindIndex(s_inOrder, merge => merge.Left == tokens[i] && merge.Right == tokens[i + 1]);
                int rank = found < 0 ? int.MaxValue : ranked ? s_ranks[found] : found;
                best = rank < best.Rank ? (rank, i, s_inOrder[found].Merged) : best;
            }

            if (best.Rank == int.MaxValue)
            {
                return tokens;
            }

            tokens[best.Place] = best.Merged;
            tokens.RemoveAt(best.Place + 1);
        }
    }
}
