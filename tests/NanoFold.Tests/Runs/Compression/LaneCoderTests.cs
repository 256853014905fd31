using NanoFold.Engine;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Runs.Compression;

/// <summary>Lanes and blocks, with predictions that are always the same.</summary>
public class LaneCoderTests
{
    private static readonly ByteTokenizer s_tokenizer = new();

    [Test]
    public void ALongTextHasBlocksAndComesBack()
    {
        byte[] text = [.. Enumerable.Range(0, 150_000).Select(i => (byte)(i * i / 7))];
        (Lane[] lanes, byte[] file) = Coded(text, 5);
        PackedFile packed = PackedFile.Read(file, "file");
        Assert.That(packed.Blocks, Has.Count.EqualTo(3));
        // A block ends with a step, in which each lane has a byte more.
        Assert.That(packed.Blocks.Sum(block => block.Coded.Length), Is.EqualTo(text.Length).Within(8), "bytes of equal probability take a byte each");
        Assert.That(lanes.All(lane => lane.IsComplete), Is.True);
        Assert.That(Back(packed), Is.EqualTo(text));

        int second = Array.IndexOf(file, packed.Blocks[1].Coded[0], 70_000);
        file[second] ^= 1;
        Assert.That(() => PackedFile.Read(file, "file"), Throws.TypeOf<UserException>().With.Message.StartsWith("file: is damaged in block 2, which begins at byte 65"));
    }

    [Test]
    public void PredictionsThatAreOthersAreNoticed()
    {
        byte[] text = [.. Enumerable.Range(0, 2000).Select(i => (byte)(i % 97))];
        PackedFile packed = PackedFile.Read(Coded(text, 2).File, "file");
        Assert.That(() => Back(packed, favorite: 3), Throws.TypeOf<UserException>().With.Message.Contains("--portable"));
    }

    [Test]
    public void TextsAreCutAtLinesAndCharacters()
    {
        byte[] text = System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("a line of text\n", 100)) + new string('é', 800));
        int[] lengths = Lane.Cut(text, 4);
        Assert.That(lengths.Sum(), Is.EqualTo(text.Length));
        int[] ends = [.. lengths.Select((_, i) => lengths.Take(i + 1).Sum())];
        Assert.That(text[ends[0] - 1], Is.EqualTo((byte)'\n'));
        Assert.That(ends.SkipLast(1).All(end => (text[end] & 0xc0) != 0x80), Is.True, "no character is cut");
        Assert.That(Lane.Cut([1, 2], 2), Is.EqualTo(new[] { 1, 1 }));
    }

    private static (Lane[] Lanes, byte[] File) Coded(byte[] text, int count)
    {
        int[] lengths = Lane.Cut(text, count);
        Lane[] lanes = [.. lengths.Select((length, i) => new Lane(lengths.Take(i).Sum(), length, 0))];
        using var file = new MemoryStream();
        file.Write(new PackedHeader { Size = text.Length, Lanes = lanes }.ToBytes());
        List<int>[] symbols = [.. lanes.Select(lane => text.AsSpan(lane.Begin, lane.Length).ToArray().Select(value => (int)value).ToList())];
        Walk(new LaneEncoder(lanes, s_tokenizer, symbols, (coded, sum, isLast) => PackedFile.WriteBlock(file, coded, sum, isLast)));
        return (lanes, file.ToArray());
    }

    private static byte[] Back(PackedFile packed, int favorite = -1)
    {
        var decoder = new LaneDecoder(packed.Header.Lanes, s_tokenizer, packed.Blocks, "file");
        Walk(decoder, favorite);
        using var text = new MemoryStream();
        decoder.WriteTo(text);
        return text.ToArray();
    }

    private static void Walk(LaneCoder coder, int favorite = -1)
    {
        var frequencies = new TokenFrequencies(s_tokenizer.ByteLengths);
        float[] logits = [.. Enumerable.Range(0, 256).Select(i => i == favorite ? 1f : 0)];
        frequencies.Set(logits);
        while (!coder.Lanes.All(lane => lane.IsComplete))
        {
            for (int lane = 0; lane < coder.Lanes.Count; lane++)
            {
                if (!coder.Lanes[lane].IsComplete)
                {
                    coder.Next(lane, frequencies, logits);
                }
            }

            coder.EndStep();
        }
    }
}
