using System.Globalization;
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

    /// <summary>Files by name go from one subject to the next: what is held back is to be like the rest, and the same every time.</summary>
    [Test]
    public void ShuffledDocumentsAreHeldBackFromEverywhere()
    {
        Document[] documents = [.. Enumerable.Range(0, 200).Select(i => new Document($"{i}", new byte[10]))];
        int[] HeldBack(long? seed) => [.. Split.Of(documents, 0.1, atCharacter: true, seed).Validation.Select(piece => int.Parse(piece.Document.Name, CultureInfo.InvariantCulture))];
        int[] drawn = HeldBack(1);
        Assert.That(drawn, Is.Ordered.And.Unique.And.Length.EqualTo(20));
        Assert.That(drawn, Is.EqualTo(HeldBack(1)).And.Not.EqualTo(HeldBack(2)));
        Assert.That(HeldBack(null), Is.EqualTo(Enumerable.Range(180, 20)));
        for (int quarter = 0; quarter < 4; quarter++)
        {
            Assert.That(drawn.Count(i => i / 50 == quarter), Is.InRange(1, 12), $"quarter {quarter} of {string.Join(' ', drawn)}");
        }

        // Every document is held back by some seed about as often as its share says: 0.1 of 400 seeds, five standard deviations are 30.
        var counts = new int[200];
        for (int seed = 0; seed < 400; seed++)
        {
            foreach (int i in HeldBack(seed))
            {
                counts[i]++;
            }
        }

        Assert.That(counts, Has.All.InRange(10, 70));
    }

    [Test]
    public void TheCutOfShuffledDocumentsIsAtTheEndOfOnePartAndTheBeginningOfTheOther()
    {
        Document[] documents = [.. Enumerable.Range(0, 7).Select(i => new Document($"{i}", new byte[30 + i]))];
        Split split = Split.Of(documents, 0.4, atCharacter: false, shuffle: 3);
        TextPiece before = split.Train[^1], after = split.Validation[0];
        Assert.That((before.Document, before.To, after.To), Is.EqualTo((after.Document, after.From, after.Document.Bytes)));
        Assert.That((before.From, before.Bytes > 0, after.Bytes > 0), Is.EqualTo((0L, true, true)));
        Assert.That(split.Train.SkipLast(1).Concat(split.Validation.Skip(1)).Select(piece => piece.Bytes), Is.EqualTo(split.Train.SkipLast(1).Concat(split.Validation.Skip(1)).Select(piece => piece.Document.Bytes)));
        Assert.That(split.Train.SkipLast(1).Select(piece => piece.Document.Name), Is.Ordered);
        Assert.That(split.Validation.Skip(1).Select(piece => piece.Document.Name), Is.Ordered);
        Assert.That(split.Validation.Sum(piece => piece.Bytes), Is.EqualTo(231 - (231 * 6 / 10)));
    }

    [Test]
    public void OneDocumentIsCutAtItsEndWhateverTheSeed()
    {
        Document[] one = [new("x", new byte[100])];
        Assert.That(Split.Of(one, 0.1, atCharacter: true, shuffle: 5), Is.EqualTo(Split.Of(one, 0.1, atCharacter: true)).Using<Split>((a, b) => a.Train.SequenceEqual(b.Train) && a.Validation.SequenceEqual(b.Validation)));
    }

    [Test]
    public void WhatIsHeldBackIsSaid()
    {
        Document[] documents = [.. Enumerable.Range(0, 40).Select(i => new Document($"/texts/a/{(i < 38 ? "" : "b/")}{i:D2}.txt", new byte[100]))];
        Assert.That(HeldBack.Of(Split.Of(documents, 0.1, false)).ToString(), Is.EqualTo("4 of 40 documents are held back, 400 of 4,000 bytes: 36.txt, 37.txt, b/38.txt and 1 more"));
        Assert.That(HeldBack.Of(Split.Of(documents, 0.04, false)).ToString(), Is.EqualTo("2 of 40 documents are held back, 160 of 4,000 bytes: b/38.txt, b/39.txt"));
        Assert.That(HeldBack.Of(Split.Of(documents[..1], 0.1, false)).ToString(), Is.EqualTo("the last 10 of 100 bytes are held back"));
        Assert.That(HeldBack.Of(Split.Of(documents[..1], 0, false)).ToString(), Is.EqualTo("nothing is held back"));
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
