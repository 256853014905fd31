using System.Buffers.Binary;
using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Tests.Memory;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

public sealed class TokenShardTests
{
    [TestCase(256, 2)]
    [TestCase(65_536, 2)]
    [TestCase(65_537, 4)]
    [TestCase(200_000, 4)]
    public void TokensComeBack(int vocab, int width)
    {
        using var folder = new TempFolder();
        int[] tokens = [0, vocab - 1, .. Enumerable.Range(0, 100_001).Select(i => (int)(i * 7919L % vocab))];
        using TokenShard shard = Shards.Of(folder, vocab, marked: false, tokens);
        int[] read = new int[tokens.Length];
        shard.Copy(0, read);
        Assert.That(read, Is.EqualTo(tokens));
        shard.Copy(2, read.AsSpan(0, 3));
        Assert.That(read[..3], Is.EqualTo(tokens[2..5]));
        Assert.That((shard.Vocab, shard.Tokens, shard.TextBytes), Is.EqualTo((vocab, (long)tokens.Length, (long)tokens.Length)));
        Assert.That(new FileInfo(shard.Path).Length, Is.InRange(64 + (width * tokens.Length) + 8, 64 + (width * tokens.Length) + 16));
        Assert.That(() => shard.Copy(1, read), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => shard.Copy(-1, read.AsSpan(0, 1)), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void DocumentsKeepTheirPlaces()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 10, marked: true, [1, 2, 3], [], [4], [5, 6], []);
        Assert.That(shard.Marked, Is.True);
        Assert.That(Enumerable.Range(0, shard.Documents).Select(shard.DocumentStart), Is.EqualTo(new long[] { 0, 3, 4 }));
        Assert.That(Enumerable.Range(0, 6).Select(position => shard.DocumentAt(position)), Is.EqualTo(new[] { 0, 0, 0, 1, 2, 2 }));
        Assert.That(() => shard.DocumentAt(6), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AShardCanBeEmpty()
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Of(folder, 10, marked: false);
        Assert.That((shard.Tokens, shard.Documents), Is.EqualTo((0L, 0)));
        shard.Copy(0, []);
    }

    [Test]
    public void WithoutACommitNothingIsLeft()
    {
        using var folder = new TempFolder();
        using (var writer = new TokenShardWriter(folder.At("a.tokens"), 10))
        {
            writer.Write([1, 2, 3]);
            Assert.That(() => writer.Write([10]), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(() => writer.Write([-1]), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(File.Exists(folder.At("a.tokens")), Is.False);
        }

        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    public void AMissingOrForeignFileIsOneLine()
    {
        using var folder = new TempFolder();
        Assert.That(() => new TokenShard(folder.At("none")), Throws.TypeOf<UserException>().With.Message.Contains("cannot be read"));
        foreach (byte[] content in (byte[][])[[], new byte[10], new byte[100]])
        {
            string path = folder.Write("a.tokens", content);
            Assert.That(() => new TokenShard(path), Throws.TypeOf<UserException>().With.Message.EqualTo(path + ": is not a token shard"));
        }
    }

    // Each lie comes with a right hash, as a careful forger would write it.
    [TestCase(8, 2L, 4, "version 2")]
    [TestCase(12, 4L, 4, "makes no sense")]
    [TestCase(16, 0L, 4, "makes no sense")]
    [TestCase(20, 2L, 4, "makes no sense")]
    [TestCase(24, long.MaxValue, 8, "claims 9223372036854775807 tokens")]
    [TestCase(24, -1L, 8, "claims -1 tokens")]
    [TestCase(24, 100L, 8, "bytes where")]
    [TestCase(32, long.MaxValue, 8, "documents")]
    [TestCase(32, 0L, 8, "documents")]
    [TestCase(32, 3L, 8, "bytes where")]
    [TestCase(40, -1L, 8, "makes no sense")]
    public void AHeaderThatLiesIsFoundOut(int offset, long value, int width, string message)
    {
        using var folder = new TempFolder();
        string path;
        using (TokenShard shard = Shards.Of(folder, 300, marked: false, [.. Enumerable.Range(0, 50)], [1, 2]))
        {
            path = shard.Path;
        }

        byte[] bytes = File.ReadAllBytes(path);
        if (width == 4)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), (int)value);
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(offset), value);
        }

        Seal(bytes);
        File.WriteAllBytes(path, bytes);
        Assert.That(() => new TokenShard(path), Throws.TypeOf<UserException>().With.Message.Contains(message).And.Message.StartsWith(path));
    }

    [TestCase(0, 5L)]
    [TestCase(1, 0L)]
    [TestCase(1, 52L)]
    [TestCase(1, -1L)]
    public void ADocumentTableThatLiesIsFoundOut(int document, long start)
    {
        using var folder = new TempFolder();
        string path;
        using (TokenShard shard = Shards.Of(folder, 300, marked: false, [.. Enumerable.Range(0, 50)], [1, 2]))
        {
            path = shard.Path;
        }

        byte[] bytes = File.ReadAllBytes(path);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(bytes.Length - 16 + (8 * document)), start);
        File.WriteAllBytes(path, bytes);
        Assert.That(() => new TokenShard(path), Throws.TypeOf<UserException>().With.Message.Contains($"a document begins at"));
    }

    [Test]
    public void ATokenOutsideTheVocabularyIsFoundWhenItIsRead()
    {
        using var folder = new TempFolder();
        string path;
        using (TokenShard shard = Shards.Counting(folder, 50))
        {
            path = shard.Path;
        }

        byte[] bytes = File.ReadAllBytes(path);
        bytes[64 + 21] = 1;
        File.WriteAllBytes(path, bytes);
        using var damaged = new TokenShard(path);
        int[] tokens = new int[10];
        damaged.Copy(0, tokens);
        Assert.That(() => damaged.Copy(5, tokens), Throws.TypeOf<UserException>().With.Message.Contains("token 266").And.Message.Contains("made anew"));
    }

    /// <summary>As another process does it: the mapping of a file would end this one.</summary>
    [TestCase(64 + (2 * 30))]
    [TestCase(3)]
    [TestCase(0)]
    public void AFileCutShortWhileItIsReadIsAnError(int left)
    {
        using var folder = new TempFolder();
        using TokenShard shard = Shards.Counting(folder, 5000);
        int[] tokens = new int[20];
        shard.Copy(4980, tokens);
        Assert.That(tokens, Is.EqualTo(Enumerable.Range(4980, 20)));
        using (var file = new FileStream(shard.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            file.SetLength(left);
        }

        Assert.That(() => shard.Copy(4980, tokens), Throws.TypeOf<UserException>().With.Message.EqualTo($"{shard.Path}: became shorter while it was in use; start again or --resume, and it is made anew"));
        Assert.That((shard.DocumentStart(0), shard.DocumentAt(4999)), Is.EqualTo((0L, 0)));
    }

    [Test]
    public void MutatedFilesNeverCrash() => Mutate(400, seed: 21);

    [Test]
    [Category("Long")]
    public void TenThousandMutatedFilesNeverCrash() => Mutate(10_000, seed: 22);

    private static void Mutate(int count, int seed)
    {
        using var folder = new TempFolder();
        byte[] original;
        using (TokenShard shard = Shards.Of(folder, 300, marked: true, [.. Enumerable.Range(0, 90)], [5], [.. Enumerable.Range(0, 7)]))
        {
            original = File.ReadAllBytes(shard.Path);
        }

        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++)
        {
            byte[] mutated = Mutation.Of(original, random);
            if (mutated.Length >= 64 && random.Next(2) == 0)
            {
                Seal(mutated);
            }

            string path = folder.Write("a.tokens", mutated);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var shard = new TokenShard(path);
                int[] tokens = new int[shard.Tokens];
                shard.Copy(0, tokens);
                Assert.That(shard.Tokens, Is.LessThan(mutated.Length));
                Assert.That(tokens.Length == 0 || shard.DocumentAt(tokens.Length - 1) == shard.Documents - 1, Is.True);
            }
            catch (UserException e)
            {
                refused++;
                Assert.That(e.Message, Does.StartWith(path));
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(100_000));
        }

        Assert.That(refused, Is.GreaterThan(count / 2));
    }

    private static void Seal(byte[] bytes)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in bytes.AsSpan(0, 56))
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(56), hash);
    }
}
