using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Tests.Memory;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

public sealed class TokenCacheTests
{
    private TempFolder _folder = null!;
    private TokenCache _cache = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TempFolder();
        _cache = new TokenCache(_folder.At("cache"));
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void BytesAreTheTextCutInTwo()
    {
        byte[] text = Samples.AllBytes;
        using TokenDataset data = _cache.Open(Corpus.Open(_folder.Write("a.txt", text)), TokenizerSpec.Byte);
        int cut = text.Length * 9 / 10;
        Assert.Multiple(() =>
        {
            Assert.That(data.FromCache, Is.False);
            Assert.That(data.Tokenizer.Vocab, Is.EqualTo(256));
            Assert.That(Shards.All(data.Train), Is.EqualTo(text[..cut]));
            Assert.That(Shards.All(data.Validation), Is.EqualTo(text[cut..]));
            Assert.That(data.Validation.TextBytes, Is.EqualTo(text.Length - cut));
        });
    }

    [Test]
    public void ABpeIsLearnedFromThePartToTrainOn()
    {
        Corpus corpus = Corpus.FromText("x", string.Concat(Enumerable.Repeat(Samples.Chinese, 9)) + string.Concat(Enumerable.Repeat("zqzq ", 30)));
        using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Bpe(300));
        Split split = Split.Of(corpus.Documents, 0.1, atCharacter: true);
        byte[] train = new byte[split.Train[0].Bytes];
        corpus.Documents[0].Read(0, train);
        var trainer = new BpeTrainer();
        trainer.Add(train);
        Assert.That(data.Tokenizer.Fingerprint, Is.EqualTo(trainer.Train(300).Fingerprint));
        Assert.That(data.Tokenizer.Decode(Shards.All(data.Train)), Is.EqualTo(train));
        int[] validation = Shards.All(data.Validation);
        Assert.That(data.Tokenizer.CountBytes(validation), Is.EqualTo(data.Validation.TextBytes));
        Assert.That(data.Tokenizer.CountBytes([-1, .. validation[1..]]), Is.EqualTo(data.Validation.TextBytes - data.Tokenizer.ByteLengths[validation[0]]));
    }

    [Test]
    public void ASecondRunFindsItWithoutReadingTheText()
    {
        string path = _folder.Write("a.txt", Samples.AllBytes);
        int[] made;
        using (TokenDataset first = _cache.Open(Corpus.Open(path), TokenizerSpec.Bpe(300)))
        {
            made = Shards.All(first.Train);
        }

        Corpus again = Corpus.Open(path);
        var notes = new List<string>();
        using TokenDataset second = _cache.Open(again, TokenizerSpec.Bpe(300), note: notes.Add);
        Assert.That((second.FromCache, again.IsRead), Is.EqualTo((true, false)));
        Assert.That(notes, Is.Empty);
        Assert.That(Shards.All(second.Train), Is.EqualTo(made));
        Assert.That(second.ContentHash, Is.EqualTo(again.Hash));
    }

    [Test]
    public void WhatWasNotReadIsSaidEveryTime()
    {
        _folder.Write("f/a.txt", Samples.English);
        _folder.Write("f/image", [1, 0, 2]);
        foreach (bool cached in (bool[])[false, true])
        {
            var notes = new List<string>();
            Corpus corpus = Corpus.Open(_folder.At("f"));
            using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Byte, note: notes.Add);
            Assert.That((data.FromCache, corpus.IsRead, notes[0]), Is.EqualTo((cached, !cached, $"{_folder.At("f")}: 1 file was not read: image is not text (a NUL byte at 1)")));
        }

        Assert.That(
            () => _cache.Open(Corpus.Open(_folder.At("f"), new CorpusOptions { Strict = true }), TokenizerSpec.Byte), Throws.TypeOf<UserException>().With.Message.Contains("image"));
    }

    [Test]
    public void TheSameTextElsewhereIsFound()
    {
        _cache.Open(Corpus.Open(_folder.Write("a.txt", "the same text")), TokenizerSpec.Byte).Dispose();
        using TokenDataset other = _cache.Open(Corpus.Open(_folder.Write("b/c.txt", "the same text")), TokenizerSpec.Byte);
        Assert.That((other.FromCache, other.Name), Is.EqualTo((true, _folder.At("b", "c.txt"))));
    }

    [Test]
    public void OtherTextTokenizerOrSplitIsNotTheSame()
    {
        string path = _folder.Write("a.txt", Samples.AllBytes);
        _cache.Open(Corpus.Open(path), TokenizerSpec.Byte).Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(IsCached(TokenizerSpec.Byte), Is.True);
            Assert.That(IsCached(TokenizerSpec.Bpe(300)), Is.False);
            Assert.That(IsCached(TokenizerSpec.Bpe(301)), Is.False);
            Assert.That(IsCached(TokenizerSpec.Given(Samples.Bpe)), Is.False);
            Assert.That(IsCached(TokenizerSpec.Byte, new DataConfig { ValidationFraction = 0.2 }), Is.False);
            Assert.That(IsCached(TokenizerSpec.Byte, new DataConfig { Documents = DocumentMode.Mark }), Is.False);
            Assert.That(IsCached(TokenizerSpec.Byte, validation: Corpus.FromText("v", "v")), Is.False);
            Assert.That(IsCached(TokenizerSpec.Byte, validation: Corpus.FromText("v", "w")), Is.False);
        });

        // The same size at another time.
        byte[] changed = [.. Samples.AllBytes];
        changed[0] ^= 1;
        _folder.Write("a.txt", changed);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(-1));
        Assert.That(IsCached(TokenizerSpec.Byte), Is.False);

        bool IsCached(TokenizerSpec spec, DataConfig? config = null, Corpus? validation = null)
        {
            using TokenDataset data = _cache.Open(Corpus.Open(path), spec, config, validation);
            return data.FromCache;
        }
    }

    [Test]
    public void TheChoiceOfDocumentsIsPartOfWhatAnEntryIsKnownBy()
    {
        Corpus corpus = Corpus.FromText("x", [.. Enumerable.Range(0, 30).Select(i => $"document {i:D2}. ")]);
        string[] held = [.. new[] { new DataConfig(), new DataConfig { SplitSeed = 2 }, new DataConfig { Split = SplitKind.End } }.Select(Validation)];
        Assert.That(held, Is.Unique);
        Assert.That(held[2], Is.EqualTo("document 27. document 28. document 29. "));
        Assert.That(Validation(new DataConfig()), Is.EqualTo(held[0]));

        string Validation(DataConfig config)
        {
            using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Byte, config);
            Assert.That((data.HeldBack.Documents, data.HeldBack.AllDocuments, data.HeldBack.Bytes, data.HeldBack.AllBytes), Is.EqualTo((3, 30, 39L, 390L)));
            Assert.That(data.HeldBack.Names, Has.Count.EqualTo(3));
            return data.Tokenizer.DecodeText(Shards.All(data.Validation));
        }
    }

    [Test]
    public void AFileWrittenJustNowIsReadAgain()
    {
        string path = _folder.Write("a.txt", "some text here");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        _cache.Open(Corpus.Open(path), TokenizerSpec.Byte).Dispose();
        Corpus again = Corpus.Open(path);
        using TokenDataset data = _cache.Open(again, TokenizerSpec.Byte);
        Assert.That((data.FromCache, again.IsRead), Is.EqualTo((true, true)));
    }

    [Test]
    public void SeveralDocumentsAreMarkedWhereABpeIsLearned()
    {
        Corpus corpus = Corpus.FromText("x", [.. Enumerable.Repeat(Samples.English, 3)]);
        using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Bpe(300), new DataConfig { ValidationFraction = 0.5 });
        int bos = data.Tokenizer.Bos!.Value;
        int eos = data.Tokenizer.Eos!.Value;
        int[] train = Shards.All(data.Train);
        int[] validation = Shards.All(data.Validation);
        int second = (int)data.Train.DocumentStart(1);
        Assert.Multiple(() =>
        {
            Assert.That((data.Train.Marked, data.Train.Documents, data.Validation.Documents), Is.EqualTo((true, 2, 2)));
            Assert.That((train[0], train[second - 1], train[second], train[^1] == eos), Is.EqualTo((bos, eos, bos, false)), "the cut is no end");
            Assert.That((validation[0] == bos, validation.Count(id => id == bos), validation.Count(id => id == eos)), Is.EqualTo((false, 1, 2)));
            Assert.That(data.Tokenizer.Decode([.. train, .. validation]), Is.EqualTo(Encoding.UTF8.GetBytes(Samples.English + Samples.English + Samples.English)));
        });
    }

    [TestCase(DocumentMode.Auto, 256, false)]
    [TestCase(DocumentMode.Join, 256, false)]
    [TestCase(DocumentMode.Mark, 258, true)]
    public void BytesAreMarkedOnlyOnRequest(DocumentMode mode, int vocab, bool marked)
    {
        using TokenDataset data = _cache.Open(Corpus.FromText("x", "abc", "def"), TokenizerSpec.Byte, new DataConfig { Documents = mode, ValidationFraction = 0 });
        Assert.That((data.Tokenizer.Vocab, data.Train.Marked), Is.EqualTo((vocab, marked)));
        Assert.That(Shards.All(data.Train), Is.EqualTo(marked ? [256, 97, 98, 99, 257, 256, 100, 101, 102, 257] : new[] { 97, 98, 99, 100, 101, 102 }));
        Assert.That(data.Train.DocumentStart(1), Is.EqualTo(marked ? 5 : 3));
        Assert.That(data.Validation.Tokens, Is.Zero);
    }

    [Test]
    public void ASingleFileIsNotMarked()
    {
        using TokenDataset data = _cache.Open(Corpus.FromText("x", Samples.English), TokenizerSpec.Bpe(300));
        Assert.That((data.Tokenizer.Bos, data.Train.Marked), Is.EqualTo(((int?)null, false)));
    }

    [Test]
    public void AGivenTokenizerIsTaken()
    {
        using TokenDataset data = _cache.Open(Corpus.FromText("x", Samples.English), TokenizerSpec.Given(Samples.Bpe), new DataConfig { ValidationFraction = 1 });
        Assert.That(data.Tokenizer.Fingerprint, Is.EqualTo(Samples.Bpe.Fingerprint));
        Assert.That(Shards.All(data.Validation), Is.EqualTo(Samples.Bpe.Encode(Samples.English)));
        Assert.That(
            () => _cache.Open(Corpus.FromText("x", "a"), TokenizerSpec.Given(Samples.Bpe), new DataConfig { Documents = DocumentMode.Mark }),
            Throws.TypeOf<UserException>().With.Message.Contains("no BOS and EOS"));
    }

    [Test]
    public void ValidationCanHaveItsOwnText()
    {
        using TokenDataset data = _cache.Open(
            Corpus.FromText("x", "train"), TokenizerSpec.Byte, validation: Corpus.FromText("v", "check"));
        Assert.That(data.Tokenizer.DecodeText(Shards.All(data.Train)), Is.EqualTo("train"));
        Assert.That(data.Tokenizer.DecodeText(Shards.All(data.Validation)), Is.EqualTo("check"));
    }

    [Test]
    public void AFolderThatCannotBeUsedIsOneLine()
    {
        string file = _folder.Write("file", "x");
        Assert.That(
            () => new TokenCache(file).Open(Corpus.FromText("x", "abc"), TokenizerSpec.Byte),
            Throws.TypeOf<UserException>().With.Message.Contains("NANOFOLD_CACHE").And.Message.StartsWith(file));
    }

    [Test]
    public void SettingsSayWhichTokenizer()
    {
        Samples.Bpe.Save(_folder.At("saved"));
        Assert.Multiple(() =>
        {
            Assert.That(TokenizerSpec.Of(new ByteTokenizerConfig()), Is.EqualTo(TokenizerSpec.Byte));
            Assert.That(TokenizerSpec.Of(new BpeTokenizerConfig { Vocab = 4096 }).BpeVocab, Is.EqualTo(4096));
            Assert.That(
                TokenizerSpec.Of(new FileTokenizerConfig { Path = _folder.At("saved") }).Tokenizer!.Fingerprint,
                Is.EqualTo(Samples.Bpe.Fingerprint));
            Assert.That(
                () => TokenizerSpec.Of(new FileTokenizerConfig { Path = _folder.At("none") }),
                Throws.TypeOf<UserException>().With.Message.Contains("no such tokenizer file"));
        });
    }

    [Test]
    public void SettingsSayHowToSplit()
    {
        var config = new DataConfig { Validation = _folder.Write("v.txt", "check"), ValidationFraction = 0.3, Documents = DocumentMode.Mark };
        using TokenDataset data = _cache.Open(Corpus.FromText("x", "train"), TokenizerSpec.Byte, config);
        Assert.That(Shards.All(data.Train), Is.EqualTo(new[] { 256, 't', 'r', 'a', 'i', 'n', 257 }));
        Assert.That(Shards.All(data.Validation), Is.EqualTo(new[] { 256, 'c', 'h', 'e', 'c', 'k', 257 }));
    }
}
