using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Metrics;

/// <summary>Event files, read by a reader of their own: records, checksums, messages; and metrics as a table.</summary>
[NonParallelizable]
public sealed class EventFileTests
{
    private static readonly string[] s_more =
        ["train.tensorboard=true", "train.sampleEvery=6", "train.samplePrompt=no.", "generation.maxTokens=4", "geometry.enabled=true", "geometry.every=6", "geometry.measures=[\"norms\"]"];

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    /// <summary>Of "123456789" the checksum CRC-32C is known: E3069283.</summary>
    [Test]
    public void ChecksumsAreMaskedCastagnoli()
    {
        const uint crc = 0xE3069283;
        Assert.That(EventRecord.Checksum("123456789"u8), Is.EqualTo(unchecked(((crc >> 15) | (crc << 17)) + 0xa282ead8)));
    }

    [Test]
    public void EveryFigureOfTheLogsIsAnEvent()
    {
        _rig.Train("run", s_more);
        Event[] events = Read(Path.Combine(_rig["run"], EventFile.Name));
        Assert.That((events[0].Version, events[0].Seconds), Is.EqualTo(("brain.Event:2", events[0].Seconds)));
        Assert.That(events[0].Seconds, Is.EqualTo(DateTimeOffset.UtcNow.ToUnixTimeSeconds()).Within(600));

        JsonElement[] lines = [.. JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.MetricsFile))];
        Assert.That(Of(events, "train/loss"), Is.EqualTo(Figures(lines, "loss")));
        Assert.That(Of(events, "train/learningRate"), Is.EqualTo(Figures(lines, "learningRate")));
        Assert.That(Of(events, "validation/loss"), Is.EqualTo(Figures(lines, "validationLoss")));
        Assert.That(Of(events, "fullValidation/bitsPerByte"), Is.EqualTo(Figures(lines, "fullValidationBitsPerByte")).And.Not.Empty);
        Assert.That(events.SelectMany(e => e.Scalars.Keys), Has.None.Contain("step").And.None.Contain("elapsed"));

        JsonElement figure = JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.GeometryFile))[^1];
        JsonProperty first = figure.GetProperty("figures").EnumerateObject().First();
        string tag = $"norms.{first.Name}/{figure.GetProperty("point").GetString()}";
        Assert.That(Of(events, tag)[^1], Is.EqualTo((figure.GetProperty("step").GetInt64(), (float)first.Value.GetProperty("value").GetDouble())));

        string text = JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.SamplesFile))[0].GetProperty("text").GetString()!;
        Assert.That(events.First(e => e.Texts.Count > 0).Texts["sample"], Is.EqualTo($"no.{text}"));
    }

    [Test]
    public void ARunThatGoesOnSaysFromWhereAndCutsATornRecord()
    {
        _rig.Train("run", [.. s_more, "train.stopAfter=8"]);
        string path = Path.Combine(_rig["run"], EventFile.Name);
        int before = Read(path).Length;
        using (FileStream file = File.Open(path, FileMode.Append))
        {
            file.Write([40, 0, 0, 0, 0, 0]);
        }

        // The newest checkpoint is that of step 8; the one before it, of step 5, is named.
        using var backend = new NanoFold.Kernels.Cpu.CpuBackend(1);
        using (TrainSession session = TrainSession.Resume(_rig.Checkpoint("run", 5), backend))
        {
            new TrainLoop(session).Run();
        }

        Event[] events = Read(path);
        Assert.That((events[before].IsStart, events[before].Step), Is.EqualTo((true, 6L)));
        Assert.That(events[..before], Has.None.Matches<Event>(e => e.IsStart));
        Assert.That(Of(events[(before + 1)..], "train/loss").Select(value => value.Step), Is.EqualTo(Enumerable.Range(6, 7).Select(step => (long)step)));
    }

    [Test]
    public void NothingIsWrittenUnlessAskedFor()
    {
        _rig.Train("run");
        Assert.That(File.Exists(Path.Combine(_rig["run"], EventFile.Name)), Is.False);
    }

    [Test]
    public void LogsMakeATable()
    {
        _rig.Train("run");
        using var text = new StringWriter();
        int rows = MetricsCsv.Write([_rig["run"], _rig["run"]], text);
        string[] lines = text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That((rows, lines.Length), Is.EqualTo((24, 25)));
        string[] columns = lines[0].Split(',');
        Assert.That(columns[..3], Is.EqualTo(new[] { "run", "step", "elapsedSeconds" }));
        JsonElement[] log = [.. JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.MetricsFile))];
        foreach (string key in new[] { "loss", "validationLoss" })
        {
            int column = Array.IndexOf(columns, key);
            Assert.That(lines[1..13].Select(line => line.Split(',')[column]).Where(cell => cell.Length > 0), Is.EqualTo(log.Where(line => line.TryGetProperty(key, out _)).Select(line => line.GetProperty(key).GetRawText())));
        }
    }

    private static (long Step, float Value)[] Figures(JsonElement[] lines, string key) =>
        [.. lines.Where(line => line.TryGetProperty(key, out _)).Select(line => (line.GetProperty("step").GetInt64(), (float)line.GetProperty(key).GetDouble()))];

    private static (long Step, float Value)[] Of(Event[] events, string tag) => [.. events.Where(e => e.Scalars.ContainsKey(tag)).Select(e => (e.Step, e.Scalars[tag]))];

    private static Event[] Read(string path)
    {
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(path);
        List<Event> events = [];
        while (!bytes.IsEmpty)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), Is.EqualTo(EventRecord.Checksum(bytes[..8])));
            ReadOnlySpan<byte> content = bytes.Slice(12, length);
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes[(12 + length)..]), Is.EqualTo(EventRecord.Checksum(content)));
            events.Add(Event.Of(content));
            bytes = bytes[(16 + length)..];
        }

        return [.. events];
    }

    /// <summary>An event as it is read back.</summary>
    private sealed record Event(double Seconds, long Step, string Version, bool IsStart, Dictionary<string, float> Scalars, Dictionary<string, string> Texts)
    {
        public static Event Of(ReadOnlySpan<byte> content)
        {
            var found = new Event(0, 0, "", false, [], []);
            foreach ((int field, byte[] value) in Fields(content))
            {
                found = field switch
                {
                    1 => found with { Seconds = BitConverter.ToDouble(value) },
                    2 => found with { Step = BitConverter.ToInt64(value) },
                    3 => found with { Version = Encoding.UTF8.GetString(value) },
                    7 => found with { IsStart = Fields(value) is [(1, var status)] && BitConverter.ToInt64(status) == 1 },
                    _ => found,
                };
                foreach ((_, byte[] item) in field == 5 ? Fields(value) : [])
                {
                    var parts = Fields(item);
                    string tag = Encoding.UTF8.GetString(parts[0].Value);
                    if (parts[1].Field == 2)
                    {
                        found.Scalars.Add(tag, BitConverter.ToSingle(parts[1].Value));
                    }
                    else
                    {
                        Assert.That(parts.Select(part => part.Field), Is.EqualTo(new[] { 1, 8, 9 }));
                        List<(int Field, byte[] Value)> tensor = Fields(parts[1].Value);
                        Assert.That((BitConverter.ToInt64(tensor[0].Value), tensor[1].Value.Length), Is.EqualTo((7L, 0)));
                        Assert.That(Encoding.UTF8.GetString(Fields(Fields(parts[2].Value)[0].Value)[0].Value), Is.EqualTo("text"));
                        found.Texts.Add(tag, Encoding.UTF8.GetString(tensor[2].Value));
                    }
                }
            }

            return found;
        }

        private static List<(int Field, byte[] Value)> Fields(ReadOnlySpan<byte> message)
        {
            List<(int, byte[])> fields = [];
            while (!message.IsEmpty)
            {
                ulong head = Varint(ref message);
                int length = (int)(head & 7) switch { 0 => 0, 1 => 8, 5 => 4, _ => (int)Varint(ref message) };
                if ((head & 7) == 0)
                {
                    fields.Add(((int)(head >> 3), BitConverter.GetBytes(Varint(ref message))));
                    continue;
                }

                fields.Add(((int)(head >> 3), message[..length].ToArray()));
                message = message[length..];
            }

            return fields;
        }

        private static ulong Varint(ref ReadOnlySpan<byte> message)
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = message[0];
                message = message[1..];
                value |= (ulong)(b & 0x7F) << shift;
                if (b < 0x80)
                {
                    return value;
                }
            }
        }
    }
}
