using System.IO.Compression;
using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Corpora.Formats;
using NanoFold.Tests.Memory;
using Parquet;
using Parquet.Schema;
using ZstdSharp;

namespace NanoFold.Tests.Data;

/// <summary>Files that are not text as they are: compressed, in another encoding, records.</summary>
public sealed class CorpusFormatTests
{
    private TempFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TempFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    private static IEnumerable<TestCaseData> Wide()
    {
        foreach (Encoding encoding in (Encoding[])[Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32, new UTF32Encoding(bigEndian: true, byteOrderMark: true)])
        {
            yield return new TestCaseData(encoding).SetArgDisplayNames(encoding.WebName);
        }
    }

    [TestCaseSource(nameof(Wide))]
    public void AByteOrderMarkNamesTheEncoding(Encoding encoding)
    {
        const string text = "mostly English, so that every other byte is zero, 床前明月光, 😀 and so on\r\n";
        Corpus corpus = Corpus.Open(_folder.Write("a.txt", [.. encoding.GetPreamble(), .. encoding.GetBytes(text)]));
        Assert.That(Texts(corpus), Is.EqualTo(new[] { text }));
        Assert.That((corpus.Hash, corpus.Notes.Count), Is.EqualTo((Corpus.FromText("x", text).Hash, 0)));
    }

    [TestCase("utf-16", "UTF-16LE")]
    [TestCase("utf-16BE", "UTF-16BE")]
    public void Utf16WithoutAMarkIsNamed(string encoding, string name)
    {
        string path = _folder.Write("a.txt", Encoding.GetEncoding(encoding).GetBytes("some plain text"));
        Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.EqualTo(
            $"{path}: is not UTF-8 text, but by its bytes {name} without a byte order mark: convert it to UTF-8 (iconv -f {name} -t UTF-8)"));
    }

    [Test]
    public void HalfACharacterOfUtf16IsOneLine()
    {
        string path = _folder.Write("a.txt", [0xFF, 0xFE, (byte)'a', 0, 0x3D]);
        Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.StartsWith(path + ": cannot be read: "));
    }

    [TestCase("a.txt.gz")]
    [TestCase("a.txt.zst")]
    [TestCase("anything")]
    public void CompressedTextIsTheText(string name)
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("some text, ", 1000)));
        foreach (Func<byte[], byte[]> pack in (Func<byte[], byte[]>[])[Gzip, Zstd])
        {
            Corpus corpus = Corpus.Open(_folder.Write(name, pack(text)));
            Assert.That(corpus.Hash, Is.EqualTo(Corpus.FromText("x", Encoding.UTF8.GetString(text)).Hash));
            Assert.That((corpus.Documents[0].Name, corpus.Documents.Count), Is.EqualTo((_folder.At(name), 1)));
        }
    }

    [Test]
    public void SeveralFramesAreOneText()
    {
        byte[] first = "first "u8.ToArray(), second = "second"u8.ToArray();
        Assert.That(Texts(Corpus.Open(_folder.Write("a.gz", [.. Gzip(first), .. Gzip(second)]))), Is.EqualTo(new[] { "first second" }));
        Assert.That(Texts(Corpus.Open(_folder.Write("a.zst", [.. Zstd(first), .. Zstd(second)]))), Is.EqualTo(new[] { "first second" }));
    }

    [Test]
    public void ACompressedFileCutShortIsOneLine()
    {
        byte[] text = new byte[100_000];
        new Random(1).NextBytes(text);
        text = Encoding.UTF8.GetBytes(Convert.ToHexString(text));
        foreach (byte[] packed in (byte[][])[Gzip(text), Zstd(text)])
        {
            string path = _folder.Write("cut", packed[..^1000]);
            Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.StartsWith(path + ": "));
        }
    }

    [TestCase(60)]
    [TestCase(12)]
    public void DamagedGzipIsCalledThat(int bytes)
    {
        byte[] packed = Gzip([.. Enumerable.Range(0, 4000).Select(i => (byte)('a' + (i * i % 24571 % 23)))]);
        packed.AsSpan(bytes / 2).Fill(0xFF);
        string path = _folder.Write("a.gz", packed[..bytes]);
        Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.EqualTo($"{path}: cannot be read: It is gzip that is damaged or was cut short"));
    }

    [TestCase("a.jsonl")]
    [TestCase("a.ndjson.gz")]
    [TestCase("a.jsonl.zst")]
    public void ALineOfJsonIsADocument(string name)
    {
        byte[] lines = Encoding.UTF8.GetBytes("""
            {"id": 1, "text": "one \"quoted\"\nline \u00e9 \ud83d\ude00 and \ud83d half"}

            {"text": "", "id": 2}
            {"text": "two\u0000"}
            """);
        Corpus corpus = Corpus.Open(_folder.Write(name, name.EndsWith("gz", StringComparison.Ordinal) ? Gzip(lines) : name.EndsWith("zst", StringComparison.Ordinal) ? Zstd(lines) : lines));
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "one \"quoted\"\nline é 😀 and \uFFFD half", "two\0" }));
        Assert.That((corpus.Documents[1].Name, corpus.Notes.Count), Is.EqualTo((_folder.At(name) + "#2", 0)));
    }

    [TestCase("story", "deep|plain")]
    [TestCase("meta.note", "n1|n2")]
    [TestCase("a.b", "dotted|in")]
    public void AFieldMayLieDeep(string field, string texts)
    {
        string path = _folder.Write("a.json", """
            {"story": "deep", "meta": {"note": "n1"}, "a.b": "dotted"}
            {"story": "plain", "meta": {"note": "n2"}, "a": {"b": "in"}}
            """);
        Assert.That(string.Join('|', Texts(Corpus.Open(path, new CorpusOptions { Field = field }))), Is.EqualTo(texts));
    }

    [TestCase("{\"text\": \"a\"}\n[1]", "is not JSON lines: line 2 is no object")]
    [TestCase("{\"text\": \"a\"}\n{\"text\": \"a", "is not JSON lines: line 2 is no JSON at byte")]
    [TestCase("{\"text\": \"a\", \"\u00ff", "is not JSON lines: line 1 is no JSON")]
    [TestCase("{\"text\": 7}", "its field 'text' is no text in line 1")]
    [TestCase("{\"story\": \"a\", \"id\": 7}", "has no text in the field 'text' (it has story, id): name one with --field (data.field)")]
    public void WhatIsWrongInJsonLinesIsNamed(string lines, string message)
    {
        string path = _folder.Write("a.jsonl", lines);
        Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.StartsWith($"{path}: {message}"));
    }

    [Test]
    public void RecordsWithoutTextAreCounted()
    {
        string path = _folder.Write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": null}\n{\"other\": \"b\"}\n");
        Corpus corpus = Corpus.Open(path);
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "a" }));
        Assert.That(corpus.Notes, Is.EqualTo(new[] { $"{path}: 2 of 3 records were left out: they have no text in 'text'" }));
        Assert.That(() => Corpus.Open(path, new CorpusOptions { Strict = true }).Documents, Throws.TypeOf<UserException>().With.Message.Contains("2 of 3 records"));
    }

    [Test]
    public async Task AColumnOfParquetIsRead()
    {
        string path = _folder.At("a.parquet");
        Directory.CreateDirectory(_folder.Path);
        var text = new DataField<string>("text");
        var raw = new DataField<byte[]>("raw");
        var id = new DataField<int>("id");
        await using (FileStream file = File.Create(path))
        {
            await using ParquetWriter writer = await ParquetWriter.CreateAsync(new ParquetSchema(text, raw, id), file);
            foreach (string name in (string[])["a", "b"])
            {
                using ParquetRowGroupWriter group = writer.CreateRowGroup();
                await group.WriteAsync(text, [name + "1", null!, name + "2 é"]);
                await group.WriteAsync(raw, [Encoding.UTF8.GetBytes(name), [], Encoding.UTF8.GetBytes("raw")]);
                await group.WriteAsync<int>(id, new[] { 1, 2, 3 });
            }
        }

        Corpus corpus = Corpus.Open(path);
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "a1", "a2 é", "b1", "b2 é" }));
        Assert.That(corpus.Notes, Is.EqualTo(new[] { $"{path}: 2 of 6 records were left out: they have no text in 'text'" }));
        Assert.That(Texts(Corpus.Open(path, new CorpusOptions { Field = "raw" })), Is.EqualTo(new[] { "a", "raw", "b", "raw" }));
        Assert.That(() => Corpus.Open(path, new CorpusOptions { Field = "id" }).Documents, Throws.TypeOf<UserException>().With.Message.Contains("its column 'id' is Int32, no text"));
        Assert.That(() => Corpus.Open(path, new CorpusOptions { Field = "x" }).Documents, Throws.TypeOf<UserException>().With.Message.Contains("has no column 'x' (it has text, raw, id)"));

        byte[] bytes = File.ReadAllBytes(path);
        string cut = _folder.Write("cut.parquet", bytes[..^20]);
        Assert.That(() => Corpus.Open(cut).Documents, Throws.TypeOf<UserException>().With.Message.StartsWith($"{cut}: is damaged, or Parquet of a kind that is not read"));
        Assert.That(Texts(Corpus.Open(_folder.Write("a.parquet.gz", Gzip(bytes)))), Has.Length.EqualTo(4));
    }

    /// <summary>Counts in a damaged file can make the reader count to them.</summary>
    [Test]
    public void AParquetFileThatKeepsItsReaderBusyIsGivenUp()
    {
        using var spool = new TextSpool("x");
        var records = new RecordWriter(spool);
        using var stream = new SilentStream();
        Assert.That(
            () => ParquetText.Read(stream, "text", records, patience: TimeSpan.FromMilliseconds(1)),
            Throws.TypeOf<UnreadTextException>().With.Message.EqualTo("is damaged, or Parquet of a kind that is not read (reading it comes to no end)"));
        Assert.That(() => records.Add("late"u8), Throws.TypeOf<ObjectDisposedException>());

        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.That(() => ParquetText.Read(stream, "text", new RecordWriter(spool), cancel.Token), Throws.InstanceOf<OperationCanceledException>());
        stream.End.Set();
    }

    [TestCase("PK\u0003\u0004", "is a zip archive: unpack it, or name a text file")]
    [TestCase("%PDF-1.7 text", "is a PDF: unpack it, or name a text file")]
    public void ArchivesAreNamed(string begin, string message)
    {
        string path = _folder.Write("a", begin);
        Assert.That(() => Corpus.Open(path).Documents, Throws.TypeOf<UserException>().With.Message.EqualTo($"{path}: {message}"));
    }

    [Test]
    public void AFieldOfPlainTextIsRefused()
    {
        string path = _folder.Write("a.txt", "text");
        Assert.That(
            () => Corpus.Open(path, new CorpusOptions { Field = "story" }).Documents,
            Throws.TypeOf<UserException>().With.Message.EqualTo($"{path}: is neither JSON lines nor Parquet, so it has no field 'story': leave --field (data.field) out"));
    }

    [Test]
    public void AFieldThatWasNamedForAnotherTextIsNotRequired()
    {
        string path = _folder.Write("a.txt", "text");
        Assert.That(Texts(Corpus.Open(path, new CorpusOptions { Field = "story", RequiresField = false })), Is.EqualTo(new[] { "text" }));
    }

    [Test]
    public void ALongTextIsKeptInAFile()
    {
        using var spool = new TextSpool("x", memoryBytes: 10);
        spool.Write("0123456789"u8);
        spool.Write("abc"u8);
        spool.CutBackTo(11);
        spool.Write("XY"u8);
        using Stream first = spool.Open(8), second = spool.Open(0);
        byte[] end = new byte[5], begin = new byte[3];
        first.ReadExactly(end);
        second.ReadExactly(begin);
        Assert.That((Encoding.ASCII.GetString(end), Encoding.ASCII.GetString(begin), spool.Length), Is.EqualTo(("89aXY", "012", 13L)));
        Assert.That(first.ReadByte(), Is.EqualTo(-1));
    }

    // Gives nothing until it is ended.
    private sealed class SilentStream : MemoryStream
    {
        public SilentStream()
            : base(new byte[100])
        {
        }

        public ManualResetEventSlim End { get; } = new();

        public override int Read(byte[] buffer, int offset, int count)
        {
            End.Wait();
            return 0;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read([], 0, 0));

        public override int Read(Span<byte> buffer) => Read([], 0, 0);
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var stream = new GZipStream(packed, CompressionLevel.Fastest))
        {
            stream.Write(bytes);
        }

        return packed.ToArray();
    }

    private static byte[] Zstd(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var stream = new CompressionStream(packed))
        {
            stream.Write(bytes);
        }

        return packed.ToArray();
    }

    private static string[] Texts(Corpus corpus) => CorpusTests.Texts(corpus);
}
