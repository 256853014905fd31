using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Data;

public sealed class CorpusTests
{
    [Test]
    public void AFileIsOneDocument()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.txt", "床前明月光");
        Corpus corpus = Corpus.Open(path);
        Assert.That(corpus.IsRead, Is.False, "opening reads nothing");
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "床前明月光" }));
        Assert.That((corpus.Name, corpus.Bytes, corpus.Documents[0].Name), Is.EqualTo((path, 15L, path)));
    }

    [Test]
    public void AFolderIsItsTextFilesInOneOrder()
    {
        using var folder = new TempFolder();
        folder.Write("b.txt", "2");
        folder.Write("a/z.md", "1");
        folder.Write("a.txt", "0");
        folder.Write("c/d/e.txt", "3");
        folder.Write("empty.txt", "");
        folder.Write("image.png", [0x89, 0x50, 0, 0, 1]);
        folder.Write(".hidden", "no");
        folder.Write(".git/config", "no");
        Assert.That(Texts(Corpus.Open(folder.Path)), Is.EqualTo(new[] { "0", "1", "2", "3" }));
    }

    [TestCase("*.txt", "a.txt b.txt")]
    [TestCase("?.md", "c.md")]
    [TestCase("*/*.txt", "d/a.txt")]
    [TestCase("**/*.txt", "a.txt b.txt d/a.txt d/e/f.txt")]
    [TestCase("d/**", "d/a.txt d/e/f.txt")]
    [TestCase("d/*/f.*", "d/e/f.txt")]
    public void APatternIsTheFilesThatFit(string pattern, string names)
    {
        using var folder = new TempFolder();
        foreach (string name in (string[])["b.txt", "a.txt", "c.md", "d/a.txt", "d/e/f.txt"])
        {
            folder.Write(name, name);
        }

        Assert.That(string.Join(' ', Texts(Corpus.Open(folder.Path + "/" + pattern))), Is.EqualTo(names));
    }

    [Test]
    public void AByteOrderMarkIsNoText()
    {
        using var folder = new TempFolder();
        Corpus corpus = Corpus.Open(folder.Write("a.txt", [0xEF, 0xBB, 0xBF, .. "abc"u8]));
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "abc" }));
        Assert.That(corpus.Hash, Is.EqualTo(Corpus.FromText("x", "abc").Hash));
    }

    private static IEnumerable<TestCaseData> Bad()
    {
        yield return new TestCaseData((byte[])[], "is empty: name a file with text").SetArgDisplayNames("empty");
        yield return new TestCaseData((byte[])[0xEF, 0xBB, 0xBF], "is empty: name a file with text").SetArgDisplayNames("mark");
        yield return new TestCaseData((byte[])[.. "ELF"u8, 0, 1], "is not text (a NUL byte at 3): name a text file").SetArgDisplayNames("nul");
        yield return new TestCaseData(Encoding.Unicode.GetPreamble(), "is empty: name a file with text").SetArgDisplayNames("utf16");
        yield return new TestCaseData(Enumerable.Repeat((byte)0xC3, 300).ToArray(), "is not UTF-8 text: convert it to UTF-8").SetArgDisplayNames("invalid");
    }

    [TestCaseSource(nameof(Bad))]
    public void AFileThatIsNoTextIsOneLine(byte[] content, string message)
    {
        using var folder = new TempFolder();
        string path = folder.Write("bad.txt", content);
        Assert.That(
            () => Corpus.Open(path).Documents,
            Throws.TypeOf<UserException>().With.Message.Contains(message).And.Message.StartsWith(path).And.Message.Not.Contains("\n"));
    }

    [TestCase("none.txt")]
    [TestCase("none/*.txt")]
    [TestCase("*.none")]
    [TestCase(".")]
    public void NothingThereIsOneLine(string name)
    {
        using var folder = new TempFolder();
        string path = folder.At(name);
        Assert.That(() => Corpus.Open(path), Throws.TypeOf<UserException>().With.Message.StartsWith(path + ": there is no such file"));
    }

    [Test]
    public void ANulByteFarBehindIsFound()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[400_000];
        Array.Fill(content, (byte)'a');
        content[300_001] = 0;
        Corpus corpus = Corpus.Open(folder.Write("a.txt", content));
        Assert.That(() => corpus.Documents, Throws.TypeOf<UserException>().With.Message.Contains("a NUL byte at 300001"));
    }

    [Test]
    public void AFewInvalidBytesAreKept()
    {
        using var folder = new TempFolder();
        byte[] latin = [.. Encoding.Latin1.GetBytes("un été à la plage avec les autres enfants de la ville")];
        Corpus corpus = Corpus.Open(folder.Write("a.txt", latin));
        byte[] read = new byte[corpus.Bytes];
        corpus.Documents[0].Read(0, read);
        Assert.That(read, Is.EqualTo(latin));
        Assert.That(corpus.Notes.Single(), Does.Contain("holds bytes that are not UTF-8 and are kept as they are: a.txt (3, the first at 3)").And.Contains("iconv -f LATIN1"));
    }

    [Test]
    public void ALinkIsReadAsItsTarget()
    {
        using var folder = new TempFolder();
        string target = folder.Write("blobs/0123", "the text of the target"), link = folder.At("link.txt");
        File.CreateSymbolicLink(link, Path.Combine("blobs", "0123"));
        Corpus corpus = Corpus.Open(link);
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "the text of the target" }));
        Assert.That((corpus.Files[0].Bytes, corpus.Files[0].ModifiedUtc), Is.EqualTo((22L, File.GetLastWriteTimeUtc(target))));

        Directory.CreateDirectory(folder.At("snapshot"));
        File.CreateSymbolicLink(folder.At("snapshot", "a.txt"), Path.Combine("..", "link.txt"));
        Assert.That(Texts(Corpus.Open(folder.At("snapshot"))), Is.EqualTo(new[] { "the text of the target" }));

        Corpus all = Corpus.Open(folder.Path);
        Assert.That(all.Documents, Has.Count.EqualTo(3));
        Assert.That(all.Notes, Is.EqualTo(new[] { $"{folder.Path}: holds the same file more than once, through links, and it is read as often: link.txt, snapshot/a.txt" }));

        folder.Write("blobs/0123", "the text was changed");
        Assert.That(corpus.CheckUnchanged, Throws.TypeOf<UserException>().With.Message.Contains("changed"));
        Assert.That(Corpus.Open(link).StatKey, Is.Not.EqualTo(corpus.StatKey));

        File.Delete(target);
        Assert.That(() => Corpus.Open(link), Throws.TypeOf<UserException>().With.Message.EqualTo($"{link}: is a link to {Path.Combine("blobs", "0123")}, which is not there"));
    }

    [Test]
    public void WhatAFolderHoldsAndCannotBeReadIsNamed()
    {
        using var folder = new TempFolder();
        folder.Write("f/a.txt", "a");
        folder.Write("f/b.txt", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("b")]);
        byte[] late = new byte[100_000];
        Array.Fill(late, (byte)'a');
        late[^1] = 0;
        folder.Write("f/late", late);
        folder.Write("f/latin", Encoding.Latin1.GetBytes("éèéèàê"));
        File.CreateSymbolicLink(folder.At("f", "dangling"), "nowhere");
        Directory.CreateSymbolicLink(folder.At("f", "loop"), ".");
        Corpus corpus = Corpus.Open(folder.At("f"));
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(corpus.FilesRead, Is.EqualTo(2));
        Assert.That(corpus.Notes, Is.EqualTo(new[]
        {
            $"{folder.At("f")}: 4 files were not read: dangling is a link to nowhere, which is not there, late is not text (a NUL byte at 99999), latin is not UTF-8 text and 1 more",
        }));
        Assert.That(
            () => Corpus.Open(folder.At("f"), new CorpusOptions { Strict = true }).Documents,
            Throws.TypeOf<UserException>().With.Message.EndsWith("(refused by data.strict)").And.Message.Contains("4 files were not read"));
        Assert.That(Corpus.Open(folder.At("f") + "/*.txt", new CorpusOptions { Strict = true }).Documents, Has.Count.EqualTo(2), "a pattern leaves out what it does not name");
    }

    [Test]
    public void ANameThatIsNotUtf8IsNamed()
    {
        if (OperatingSystem.IsWindows() || OperatingSystem.IsMacOS())
        {
            Assert.Ignore("names are Unicode here");
        }

        using var folder = new TempFolder();
        folder.Write("a.txt", "a");
        Run("sh", "-c", $"printf x > '{folder.Path}'/b$(printf '\\377').txt");
        try
        {
            Corpus corpus = Corpus.Open(folder.Path);
            Assert.That(Texts(corpus), Is.EqualTo(new[] { "a" }));
            Assert.That(corpus.Notes.Single(), Is.EqualTo($"{folder.Path}: 1 file was not read: b\uFFFD.txt has a name that is not UTF-8"));
        }
        finally
        {
            Run("sh", "-c", $"rm '{folder.Path}'/b*");
        }
    }

    [Test]
    public void APipeIsReadToItsEnd()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("pipes have no file names here");
        }

        using var folder = new TempFolder();
        string text = string.Concat(Enumerable.Repeat("more than a pipe holds at once, ", 10_000)), pipe = folder.At("pipe");
        Run("mkfifo", pipe);
        var writer = Task.Run(() => File.WriteAllText(pipe, text));
        Corpus corpus = Corpus.Open(pipe);
        Assert.That((corpus.IsStream, Corpus.CanBeReadOnce(pipe), corpus.StatKey), Is.EqualTo((true, true, (string?)null)));
        Assert.That(corpus.Hash, Is.EqualTo(Corpus.FromText("x", text).Hash));
        Assert.That(corpus.CheckUnchanged, Throws.Nothing);
        writer.Wait();

        folder.Write("a.txt", "a");
        Assert.That(Corpus.Open(folder.Path).Notes.Single(), Does.EndWith("1 file was not read: pipe is a pipe, socket or device"), "nothing waits for a writer");
        using var cancel = new CancellationTokenSource();
        Corpus silent = Corpus.Open(pipe);
        silent.Cancel = cancel.Token;
        var reader = Task.Run(() => silent.Documents);
        cancel.Cancel();
        Assert.That(async () => await reader, Throws.InstanceOf<OperationCanceledException>(), "a pipe that nobody writes into");

        Assert.That(() => Corpus.Open("/dev/null").Documents, Throws.TypeOf<UserException>().With.Message.EqualTo("/dev/null: is empty: name a file with text"));
        Assert.That(() => Corpus.Open("/dev/zero").Documents, Throws.TypeOf<UserException>().With.Message.StartsWith("/dev/zero: is not text"));
        Assert.That(() => Corpus.Open("/dev/fd/9999"), Throws.TypeOf<UserException>().With.Message.EqualTo("/dev/fd/9999: is a pipe that is gone: give the text again with --data"));
    }

    [Test]
    public void DocumentsOfOneFileAreSeparated()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.txt", "one\n<|endoftext|>\ntwo\n<|endoftext|>\n");
        Corpus whole = Corpus.Open(path), cut = Corpus.Open(path, new CorpusOptions { Separator = "<|endoftext|>" });
        Assert.That(whole.Notes, Is.EqualTo(new[]
        {
            $"{path}: holds <|endoftext|> 2 times, which is learned letter by letter; if it ends documents, --separator '<|endoftext|>' cuts them there",
        }));
        Assert.That(Texts(cut), Is.EqualTo(new[] { "one\n", "two\n" }));
        Assert.That((cut.Notes.Count, cut.Documents[1].Name, cut.Hash), Is.EqualTo((0, path + "#2", Corpus.FromText("x", "one\n", "two\n").Hash)));
        Assert.That(cut.StatKey, Is.Not.EqualTo(whole.StatKey));
        Assert.That(
            Corpus.Open(path, new CorpusOptions { Separator = "<s>" }).Notes, Is.EqualTo(new[] { $"{path}: the separator '<s>' is nowhere in it" }));
    }

    [Test]
    public void TheHashIsOfContentAndWhereDocumentsEnd()
    {
        using var folder = new TempFolder();
        folder.Write("a.txt", "ab");
        folder.Write("b.txt", "c");
        string hash = Corpus.Open(folder.Path).Hash;
        Assert.That(hash, Is.EqualTo(Corpus.FromText("other", "ab", "", "c").Hash).And.Length.EqualTo(64));
        Assert.That(Corpus.FromText("x", "a", "bc").Hash, Is.Not.EqualTo(hash));
        Assert.That(Corpus.FromText("x", "abc").Hash, Is.Not.EqualTo(hash));
    }

    [Test]
    public void AFileThatShrankIsOneLine()
    {
        using var folder = new TempFolder();
        Corpus corpus = Corpus.Open(folder.Write("a.txt", "abcdef"));
        Assert.That(corpus.Documents, Has.Count.EqualTo(1));
        folder.Write("a.txt", "abc");
        Assert.That(() => corpus.Hash, Throws.TypeOf<UserException>().With.Message.Contains("while it was read"));
        Assert.That(corpus.CheckUnchanged, Throws.TypeOf<UserException>().With.Message.Contains("changed"));
    }

    [Test]
    public void WithoutAPathItIsTheDefault()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.txt", "abc");
        Assert.That(Corpus.OpenOrDefault(path).Name, Is.EqualTo(path));
        if (DefaultCorpus.Open() is null)
        {
            Assert.That(() => Corpus.OpenOrDefault(null), Throws.TypeOf<UserException>().With.Message.Contains("--data"));
        }
        else
        {
            Assert.That(Corpus.OpenOrDefault(null).Name, Is.EqualTo(DefaultCorpus.Name));
        }
    }

    [Test]
    public void TextInMemoryMustNotBeEmpty()
    {
        Assert.That(() => Corpus.FromText("mine", ""), Throws.TypeOf<UserException>().With.Message.Contains("mine: is empty"));
    }

    private static void Run(string program, params string[] args)
    {
        using var process = System.Diagnostics.Process.Start(program, args);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero);
    }

    internal static string[] Texts(Corpus corpus) => [.. corpus.Documents.Select(document =>
    {
        byte[] bytes = new byte[document.Bytes];
        document.Read(0, bytes);
        return Encoding.UTF8.GetString(bytes);
    })];
}
