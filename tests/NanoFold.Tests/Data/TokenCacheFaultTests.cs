using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Tests.Memory;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

/// <summary>Entries that are damaged, changed, given up, or made by several at once.</summary>
public sealed class TokenCacheFaultTests
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

    [TestCase("train.tokens")]
    [TestCase("validation.tokens")]
    [TestCase("tokenizer.json")]
    public void ADamagedEntryIsMadeAgain(string name)
    {
        string path = _folder.Write("a.txt", Samples.AllBytes);
        _cache.Open(Corpus.Open(path), TokenizerSpec.Byte).Dispose();
        string damaged = Directory.GetFiles(_cache.Folder, name, SearchOption.AllDirectories).Single();
        File.WriteAllBytes(damaged, File.ReadAllBytes(damaged)[..^5]);
        using TokenDataset again = _cache.Open(Corpus.Open(path), TokenizerSpec.Byte);
        Assert.That(again.FromCache, Is.False);
        Assert.That(Shards.All(again.Train), Has.Length.EqualTo(Samples.AllBytes.Length * 9 / 10));
    }

    /// <summary>Headers and lengths are as they were; only the content says another thing.</summary>
    [TestCase("train.tokens", 64 + 10)]
    [TestCase("validation.tokens", 64 + 1)]
    [TestCase("tokenizer.json", 200)]
    [TestCase("validation.txt", 0)]
    [TestCase("SHA256SUMS", 5)]
    public void OneChangedBitMakesAnEntryAnew(string name, int at)
    {
        Corpus corpus = Corpus.FromText("x", Samples.English + Samples.Chinese);
        int[] made;
        using (TokenDataset first = _cache.Open(corpus, TokenizerSpec.Bpe(300)))
        {
            made = Shards.All(first.Train);
        }

        string damaged = Directory.GetFiles(_cache.Folder, name, SearchOption.AllDirectories).Single();
        byte[] bytes = File.ReadAllBytes(damaged);
        bytes[at] ^= 1;
        File.WriteAllBytes(damaged, bytes);
        using (TokenDataset again = _cache.Open(corpus, TokenizerSpec.Bpe(300)))
        {
            Assert.That((again.FromCache, Shards.All(again.Train)), Is.EqualTo((false, made)));
        }

        using TokenDataset found = _cache.Open(corpus, TokenizerSpec.Bpe(300));
        Assert.That(found.FromCache, Is.True);
    }

    /// <summary>An editor that keeps times, a copy with its times, a clock that was set: the text is another all the same.</summary>
    [Test]
    public void AChangeOfTheSameSizeAndTimeIsNoticed()
    {
        string path = _folder.Write("a.txt", new string('a', 500));
        DateTime time = File.GetLastWriteTimeUtc(path);
        string hash = Open();
        Assert.That(Open(), Is.EqualTo(hash));

        File.WriteAllText(path, new string('a', 250) + 'b' + new string('a', 249));
        File.SetLastWriteTimeUtc(path, time);
        Assert.That(Open(), Is.Not.EqualTo(hash));

        string Open()
        {
            using TokenDataset data = _cache.Open(Corpus.Open(path), TokenizerSpec.Byte);
            return data.ContentHash;
        }
    }

    /// <summary>Of large texts a sample stands for the rest: at least every 256th part is looked at.</summary>
    [TestCase(0, 1)]
    [TestCase((int)FileSample.WholeBytes + 999, 1)]
    [TestCase((int)FileSample.WholeBytes / 2, ((int)FileSample.WholeBytes / 255) + 4096)]
    public void ASampleOfALargeTextHasItsBeginningAndEndAndEveryStretchBetween(int at, int length)
    {
        byte[] text = new byte[FileSample.WholeBytes + 1000];
        string path = _folder.Write("a.txt", text);
        string Hash() => FileSample.Hash([SourceFile.Of(path, "a.txt")]);
        string before = Hash();
        text.AsSpan(at, length).Fill(1);
        File.WriteAllBytes(path, text);
        Assert.That(Hash(), Is.Not.EqualTo(before));
    }

    [Test]
    public void AChangeInOneOfManyFilesIsNoticed()
    {
        for (int i = 0; i < 40; i++)
        {
            _folder.Write($"many/{i:D2}.txt", $"text {i:D2}");
        }

        string hash = Open(), changed = _folder.At("many", "37.txt");
        DateTime time = File.GetLastWriteTimeUtc(changed);
        File.WriteAllText(changed, "text 38");
        File.SetLastWriteTimeUtc(changed, time);
        Assert.That(Open(), Is.Not.EqualTo(hash));

        string Open()
        {
            using TokenDataset data = _cache.Open(Corpus.Open(_folder.At("many")), TokenizerSpec.Byte);
            return data.ContentHash;
        }
    }

    /// <summary>A process that was killed leaves pieces beside the entry; one that lives holds the entry's lock.</summary>
    [Test]
    public void PiecesOfKilledProcessesAreSwept()
    {
        _cache.Open(Corpus.FromText("x", "abc"), TokenizerSpec.Byte).Dispose();
        string Piece(string name) => Directory.CreateDirectory(Path.Combine(_cache.Folder, $"{name}.tmp-{Guid.NewGuid():N}")).FullName;
        string dead = Piece("dead"), other = Piece("dead"), living = Piece("living");
        File.WriteAllText(Path.Combine(dead, "train.tokens"), "half");
        string seen = Path.Combine(_cache.Folder, "seen", "a.tmp-b"), young = Path.Combine(_cache.Folder, "seen", "c.tmp-d");
        File.WriteAllText(seen, "");
        File.WriteAllText(young, "");
        File.SetLastWriteTimeUtc(seen, DateTime.UtcNow.AddHours(-2));
        using (new FileStream(Path.Combine(_cache.Folder, "living.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            _cache.Open(Corpus.FromText("x", "another"), TokenizerSpec.Byte).Dispose();
        }

        Assert.That(new[] { dead, other, living }.Select(Directory.Exists), Is.EqualTo(new[] { false, false, true }));
        Assert.That((File.Exists(seen), File.Exists(young)), Is.EqualTo((false, true)));
    }

    [Test]
    public void TwoAtOnceMakeItOnce()
    {
        Corpus corpus = Corpus.FromText("x", Samples.English);
        using var ready = new Barrier(4);
        bool[] cached = new bool[4];
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            ready.SignalAndWait();
            using TokenDataset data = new TokenCache(_cache.Folder).Open(corpus, TokenizerSpec.Bpe(300));
            cached[i] = data.FromCache;
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.That(cached.Count(found => !found), Is.EqualTo(1));
    }

    [Test]
    public void WaitsForWhoHoldsTheLock()
    {
        Corpus corpus = Corpus.FromText("x", Samples.English);
        _cache.Open(corpus, TokenizerSpec.Byte).Dispose();
        string path = Directory.GetFiles(_cache.Folder, "*.lock").Single();
        Directory.Delete(path[..^5], recursive: true);
        using var told = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        Task<TokenDataset> waiting;
        using (new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            waiting = Task.Run(() => _cache.Open(corpus, TokenizerSpec.Byte, note: line => told.Set()));
            Assert.That(told.Wait(TimeSpan.FromSeconds(30)), Is.True);
            Assert.That(waiting.IsCompleted, Is.False);

            var impatient = Task.Run(() => _cache.Open(corpus, TokenizerSpec.Byte, note: _ => cancel.Cancel(), cancel: cancel.Token));
            Assert.That(async () => await impatient, Throws.InstanceOf<OperationCanceledException>());
        }

        using TokenDataset data = waiting.Result;
        Assert.That(data.FromCache, Is.False);
    }

    [Test]
    public void ACancelledRunLeavesNoEntry()
    {
        using var cancel = new CancellationTokenSource();
        Assert.That(
            () => _cache.Open(Corpus.FromText("x", Samples.English), TokenizerSpec.Byte, note: _ => cancel.Cancel(), cancel: cancel.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetDirectories(_cache.Folder).Select(Path.GetFileName), Is.EqualTo(new[] { "seen" }));
    }
}
