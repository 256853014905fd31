using System.Text;
using NanoFold.Engine.Corpora;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

public sealed class TextChunksTests
{
    [TestCase(1)]
    [TestCase(7)]
    [TestCase(64)]
    [TestCase(100_000)]
    public void ChunksAreTokenizedAsTheWholeIs(int size)
    {
        byte[] text = Samples.AllBytes;
        var document = new Document("x", text);
        foreach ((long from, long to) in ((long, long)[])[(0, text.Length), (13, text.Length - 3)])
        {
            var bytes = new List<byte>();
            var ids = new List<int>();
            foreach (ReadOnlyMemory<byte> chunk in TextChunks.Read(new TextPiece(document, from, to), size))
            {
                bytes.AddRange(chunk.Span);
                Samples.Bpe.Encode(chunk.Span, ids);
            }

            Assert.That(bytes, Is.EqualTo(text[(int)from..(int)to]));
            Assert.That(ids, Is.EqualTo(Samples.Bpe.Encode(text.AsSpan((int)from, (int)(to - from)))));
        }
    }

    [Test]
    public void TextWithoutAnyPlaceToCutIsCutAtACharacter()
    {
        byte[] text = Encoding.UTF8.GetBytes(new string('月', (TextChunks.LargestChunk / 3) + 1000));
        int[] lengths = [.. TextChunks.Read(new TextPiece(new Document("x", text), 0, text.Length)).Select(chunk => chunk.Length)];
        Assert.That(lengths, Has.Length.EqualTo(2).And.All.Matches<int>(length => length % 3 == 0));
        Assert.That(lengths.Sum(), Is.EqualTo(text.Length));
    }
}
