using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Residuals;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>A folder that the library transformers saved, read and written again.</summary>
internal static class PublishedRoundTrip
{
    /// <summary>What is read of a folder gives, written again, the same tensors under the same names, and a configuration that means the same model.</summary>
    public static void Verify(string folder)
    {
        using ForeignModel model = ForeignModel.TryOpen(folder)!;
        PublishedArchitecture architecture = PublishedArchitecture.All.Single(architecture => $"Hugging Face {architecture.Name}" == model.Format);
        Assert.That(architecture.WhyNot(model.Config), Is.Null);
        Assert.That(PublishedArchitecture.For(model.Config).Name, Is.EqualTo(architecture.Name).Or.AnyOf("llama", "mistral", "qwen3"), "what export makes of it, but for models that are also those");
        Assert.That(architecture.WhyNot(model.Config with { NormEpsilon = 0.5 }), Is.Null);
        Assert.That(architecture.WhyNot(model.Config with { Residual = new HyperConnectionsConfig() }), Does.StartWith($"{architecture.Name} cannot express model.residual"));

        var theirs = new RuledTensors(architecture.Tensors(model.Config), parameter =>
        {
            var values = new float[model.Weights.Find(parameter)!.Count];
            model.Weights.Read(parameter, values);
            return values;
        });
        List<string> found = [];
        foreach (string path in model.Files)
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            foreach (SafeTensorInfo tensor in file.Tensors)
            {
                Assert.That(theirs.Tensors.Single(t => t.Name == tensor.Name).Shape, Is.EqualTo(tensor.Shape), tensor.Name);
                Assert.That(Array.ConvertAll(theirs.Read(tensor.Name), BitConverter.SingleToInt32Bits), Is.EqualTo(SharedData.Reals(file, tensor.Name).Select(v => BitConverter.SingleToInt32Bits((float)v))), tensor.Name);
                found.Add(tensor.Name);
            }
        }

        Assert.That(theirs.Tensors.Select(tensor => tensor.Name), Is.EquivalentTo(found));
    }
}
