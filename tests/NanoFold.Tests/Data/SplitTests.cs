using System.Text;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

public sealed class SplitTests
{
    [TestCase(10, 9)]
    [TestCase(11, 9)]
    [TestCase(1, 0)]
    [TestCase(1_115_394, 1_003_854)]
    [TestCase(1000, 900)]
    public void BytesAreCutAtTheFloor(int bytes, long cut)
    {
        Split split = Split.Of([new Document("x", new byte[bytes])], 0.1, atCharacter: false);
        Assert.That((split.Train.Sum(piece => piece.Bytes), split.Validation[0].From), Is.EqualTo((cut, cut)));
    }

    [Test]
    public void TinyShakespeareIsCutWhereItUsuallyIs()
    {
        Corpus corpus = Corpus.Open(SharedData.Path("tinyshakespeare.txt"));
        foreach (bool atCharacter in (bool[])[false, true])
        {
            Split split = Split.Of(corpus.Documents, 0.1, atCharacter);
            Assert.That((split.Train[0].From, split.Train[0].To), Is.EqualTo((0L, 1_003_854L)));
            Assert.That((split.Validation[0].From, split.Validation[0].To), Is.EqualTo((1_003_854L, 1_115_394L)));
        }
    }

    [Test]
    public void CharactersAreNotCut()
    {
        byte[] text = Encoding.UTF8.GetBytes(Samples.Chinese + "😀😀😀");
        for (int percent = 0; percent <= 100; percent++)
        {
            Split split = Split.Of([new Document("x", text)], percent / 100.0, atCharacter: true);
            long cut = split.Train.Sum(piece => piece.Bytes);
            long wanted = (100 - percent) * text.Length / 100;
            Assert.That(cut == text.Length || (text[cut] & 0xC0) != 0x80, Is.True);
            Assert.That(cut, Is.InRange(wanted - 3, wanted));
            Assert.That(cut + split.Validation.Sum(piece => piece.Bytes), Is.EqualTo(text.Length));
        }
    }

    [Test]
    public void BytesThatAreNoTextAreCutWhereTheyAre()
    {
        byte[] tails = [.. Enumerable.Repeat((byte)0x80, 100)];
        Assert.That(Split.Of([new Document("x", tails)], 0.1, atCharacter: true).Train[0].To, Is.EqualTo(90));
    }

    [Test]
    public void TheDocumentAtTheCutIsInBothParts()
    {
        Document[] documents = [new("a", new byte[50]), new("b", new byte[45]), new("c", new byte[5])];
        Split split = Split.Of(documents, 0.1, atCharacter: false);
        Assert.That(split.Train, Is.EqualTo(new[] { new TextPiece(documents[0], 0, 50), new TextPiece(documents[1], 0, 40) }));
        Assert.That(split.Validation, Is.EqualTo(new[] { new TextPiece(documents[1], 40, 45), new TextPiece(documents[2], 0, 5) }));
        Assert.That((split.Train[1].Begins, split.Train[1].Ends), Is.EqualTo((true, false)));
        Assert.That((split.Validation[0].Begins, split.Validation[0].Ends), Is.EqualTo((false, true)));
    }

    [TestCase(0, 100)]
    [TestCase(1, 0)]
    public void EverythingCanGoToOnePart(double share, long train)
    {
        Split split = Split.Of([new Document("x", new byte[100])], share, atCharacter: true);
        Assert.That((split.Train.Sum(piece => piece.Bytes), split.Validation.Sum(piece => piece.Bytes)), Is.EqualTo((train, 100 - train)));
    }

    [TestCase(-0.1)]
    [TestCase(1.1)]
    [TestCase(double.NaN)]
    public void RefusesAShareThatIsNone(double share)
    {
        Assert.That(() => Split.Of([], share, atCharacter: false), Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
