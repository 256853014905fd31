using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

public class JsonLinesLogTests
{
    private TemporaryFolder _folder = null!;
    private string _path = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _path = _folder["metrics.jsonl"];
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void EachObjectIsALineThatCanBeReadAtOnce()
    {
        using JsonLinesLog log = JsonLinesLog.Open(_path);
        Append(log, 1);
        Assert.That(ReadWhileOpen(), Is.EqualTo("{\"step\":1}\n"));
        Append(log, 2);
        Assert.That(ReadWhileOpen(), Is.EqualTo("{\"step\":1}\n{\"step\":2}\n"));
        Assert.That(Steps(), Is.EqualTo(new[] { 1L, 2 }));
    }

    [Test]
    public void OpeningAgainAppends()
    {
        for (int step = 1; step <= 3; step++)
        {
            using JsonLinesLog log = JsonLinesLog.Open(_path);
            Append(log, step);
        }

        Assert.That(Steps(), Is.EqualTo(new[] { 1L, 2, 3 }));
    }

    [TestCase("{\"step\":1}\n{\"step\":2,\"lo", new[] { 1L, 9 })]
    [TestCase("{\"step\":1}\n{\"step\":2}", new[] { 1L, 2, 9 })]
    [TestCase("{\"step\":1}\n\0\0\0\0\0", new[] { 1L, 9 })]
    [TestCase("{\"st", new[] { 9L })]
    [TestCase("7", new[] { 9L })]
    [TestCase("", new[] { 9L })]
    public void ATornLastLineIsMended(string content, long[] expected)
    {
        File.WriteAllText(_path, content);
        using (JsonLinesLog log = JsonLinesLog.Open(_path))
        {
            Append(log, 9);
        }

        Assert.That(Steps(), Is.EqualTo(expected));
        Assert.That(File.ReadAllLines(_path), Has.Length.EqualTo(expected.Length));
    }

    [Test]
    public void ATornLineLongerThanAChunkIsCutOff()
    {
        File.WriteAllText(_path, "{\"step\":1}\n{\"step\":2,\"text\":\"" + new string('x', 20_000));
        JsonLinesLog.Open(_path).Dispose();
        Assert.That(File.ReadAllText(_path), Is.EqualTo("{\"step\":1}\n"));
    }

    [Test]
    public void CuttingBackDropsLaterStepsAndKeepsLinesWithoutOne()
    {
        File.WriteAllText(_path, "{\"run\":\"a\"}\n{\"step\":1}\n{\"step\":3}\nnot json\n{\"note\":\"é\"}\n{\"step\":2}\n{\"step\":4}\n");
        using (JsonLinesLog log = JsonLinesLog.Open(_path))
        {
            log.CutBackTo(2);
            Append(log, 3);
        }

        Assert.That(File.ReadAllText(_path), Is.EqualTo("{\"run\":\"a\"}\n{\"step\":1}\n{\"note\":\"é\"}\n{\"step\":2}\n{\"step\":3}\n"));
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void AppendingAllocatesNothing()
    {
        using JsonLinesLog log = JsonLinesLog.Open(_path);
        for (int step = 0; step < 50; step++)
        {
            Append(log, step);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 50; step < 150; step++)
        {
            Append(log, step);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void ALogThatCannotBeOpenedOrReadIsNamed()
    {
        string missing = Path.Combine(_folder["no"], "metrics.jsonl");
        Assert.That(() => JsonLinesLog.Open(missing), Throws.TypeOf<UserException>().With.Message.StartsWith($"cannot write {missing}: "));
        Assert.That(() => JsonLinesLog.Read(missing), Throws.TypeOf<UserException>().With.Message.StartsWith($"cannot read {missing}: "));
    }

    [Test]
    [Platform("Linux")]
    public void AFullDiskIsOneLine()
    {
        using JsonLinesLog log = JsonLinesLog.Open("/dev/full");
        Assert.That(() => Append(log, 1), Throws.TypeOf<UserException>().With.Message.EqualTo("cannot write /dev/full: the disk is full"));
    }

    private static void Append(JsonLinesLog log, long step) => log.Append(step, static (json, step) => json.WriteNumber("step", step));

    private string ReadWhileOpen()
    {
        using var reader = new StreamReader(new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    private long[] Steps() => [.. JsonLinesLog.Read(_path).Select(line => line.GetProperty("step").GetInt64())];
}
