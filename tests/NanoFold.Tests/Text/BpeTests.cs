using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Text;

public sealed class BpeTests
{
    [Test]
    public void LearnsTheMostFrequentPairsFirst()
    {
        var trainer = new BpeTrainer();
        trainer.Add("low low low lower newer newer"u8);
        BpeTokenizer tokenizer = trainer.Train(262);

        // 4 times: l+o before o+w, then lo+w. 3 times: ' '+low before e+r. Twice: ' '+n, e+w, as their ids are smallest.
        Assert.That(Enumerable.Range(256, 6).Select(tokenizer.Describe), Is.EqualTo(new[] { "lo", "low", " low", "er", " n", "ew" }));
    }

    [TestCase(300, false)]
    [TestCase(420, true)]
    public void LearnsWhatCountingAfreshEachTimeLearns(int vocab, bool marks)
    {
        BpeTokenizer tokenizer = Samples.Train(vocab, marks);
        List<BpeMerge> expected = NaiveBpe.Train([Samples.AllBytes, Samples.AllBytes], vocab - (marks ? 2 : 0));
        Assert.That(tokenizer.Model.Merges, Is.EqualTo(expected));
        Assert.That(tokenizer.Vocab, Is.EqualTo(256 + expected.Count + (marks ? 2 : 0)));
    }

    [Test]
    public void LearnsWhatCountingAfreshLearnsFromRandomText()
    {
        var random = new Random(5);
        byte[] text = Encoding.UTF8.GetBytes(Samples.RandomText(random, 3000) + new string('a', 700));
        var trainer = new BpeTrainer();
        trainer.Add(text);
        Assert.That(trainer.Train(600).Model.Merges, Is.EqualTo(NaiveBpe.Train([text], 600)));
    }

    [Test]
    public void LearnsTheSameFromTheSameTextInAnyOrder()
    {
        string[] lines = Samples.English.Split(' ');
        var forward = new BpeTrainer();
        var backward = new BpeTrainer();
        foreach (string line in lines)
        {
            forward.Add(Encoding.UTF8.GetBytes(line));
        }

        foreach (string line in lines.Reverse())
        {
            backward.Add(Encoding.UTF8.GetBytes(line));
        }

        Assert.That(backward.Train(350).Fingerprint, Is.EqualTo(forward.Train(350).Fingerprint));
    }

    [Test]
    public void EncodesAsMergingByRankOneByOneDoes()
    {
        var random = new Random(6);
        for (int i = 0; i < 300; i++)
        {
            byte[] text = Encoding.UTF8.GetBytes(Samples.RandomText(random, random.Next(120)));
            Assert.That(Samples.Bpe.Encode(text.AsSpan()), Is.EqualTo(NaiveBpe.Encode(Samples.Bpe.Model, text)));
        }
    }

    [TestCase("aaaa")]
    [TestCase("abcab")]
    [TestCase("明月光")]
    [TestCase("overandover")]
    public void EncodesLongPiecesAsMergingByRankDoes(string part)
    {
        var trainer = new BpeTrainer();
        trainer.Add(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("aaaa aaa abcab 明月光明月 overandover ", 3))));
        BpeTokenizer tokenizer = trainer.Train(320);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(part, 60)) + "a");
        Assert.That(tokenizer.Encode(text.AsSpan()), Is.EqualTo(NaiveBpe.Encode(tokenizer.Model, text)));
    }

    [Test]
    public void AVeryLongPieceIsNoTrouble()
    {
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 300_000));
        var trainer = new BpeTrainer();
        trainer.Add(text);
        BpeTokenizer tokenizer = trainer.Train(300);
        Assert.That(tokenizer.Decode(tokenizer.Encode(text.AsSpan())), Is.EqualTo(text));
    }

    [Test]
    public void ManyThreadsEncodeAlike()
    {
        int[] expected = Samples.Bpe.Encode(Samples.English);
        Parallel.For(0, 64, _ => Assert.That(Samples.Bpe.Encode(Samples.English), Is.EqualTo(expected)));
    }

    [Test]
    public void TextWithoutRepeatsGivesFewerSymbols()
    {
        var trainer = new BpeTrainer();
        trainer.Add("abc"u8);
        Assert.That(trainer.Train(1000).Vocab, Is.EqualTo(256));
        Assert.That(new BpeTrainer().Train(300, documentMarks: true).Vocab, Is.EqualTo(258));
    }

    [TestCase(255, false)]
    [TestCase(257, true)]
    [TestCase(BpeTrainer.LargestVocab + 1, false)]
    public void RefusesAVocabularyThatCannotBe(int vocab, bool marks)
    {
        Assert.That(
            () => new BpeTrainer().Train(vocab, marks),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains($"not {vocab}"));
    }

    [Test]
    public void MarksTakeTheLastTwoIds()
    {
        BpeTokenizer tokenizer = Samples.Train(300, documentMarks: true);
        Assert.That((tokenizer.Vocab, tokenizer.Bos, tokenizer.Eos), Is.EqualTo((300, (int?)298, (int?)299)));
    }
}
