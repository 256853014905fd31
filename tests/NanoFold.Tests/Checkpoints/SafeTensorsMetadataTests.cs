using System.Buffers.Binary;
using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Checkpoints;

/// <summary>A checkpoint's files, as a reader sees them that knows the format's description and nothing of this program.</summary>
public class SafeTensorsMetadataTests
{
    [Test]
    public void OtherToolsOpenACheckpoint()
    {
        using var rig = new TrainRig();
        rig.Train("run", "train.stopAfter=1");
        foreach ((string file, string name, long[] shape) in new[]
        {
            (ModelFile.Name, "model.embed_tokens.weight", new long[] { 256, 16 }), (OptimizerFile.Name, "first", [12_864]),
        })
        {
            byte[] bytes = rig.Bytes("run", 1, file);
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            using var header = JsonDocument.Parse(bytes.AsMemory(8, length), new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement metadata = header.RootElement.GetProperty("__metadata__");
            Assert.That(metadata.EnumerateObject().Select(p => (p.Name, p.Value.GetString())), Is.EquivalentTo(new[] { ("format", "pt"), ("producer", "nanofold") }));

            JsonElement tensor = header.RootElement.GetProperty(name);
            Assert.That(tensor.GetProperty("dtype").GetString(), Is.EqualTo("F32"));
            Assert.That(tensor.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64()), Is.EqualTo(shape));

            // The bytes after the header belong to tensors, one after the other, to the end.
            long end = 0;
            foreach ((long begin, long stop) in header.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__")
                .Select(p => p.Value.GetProperty("data_offsets")).Select(o => (o[0].GetInt64(), o[1].GetInt64())).Order())
            {
                Assert.That(begin, Is.EqualTo(end));
                end = stop;
            }

            Assert.That(end, Is.EqualTo(bytes.Length - 8 - length));
        }
    }
}
