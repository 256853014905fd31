using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;

namespace NanoFold.Engine.Configuration;

/// <summary>What the documentation of types, properties and choices says: read from the XML file that the compiler writes beside an assembly.</summary>
internal sealed class XmlMeanings
{
    private readonly Dictionary<string, XElement> _summaries = [];

    /// <param name="path">The XML file.</param>
    /// <exception cref="UserException">It is not there, or is damaged.</exception>
    public XmlMeanings(string path)
    {
        try
        {
            foreach (XElement member in XDocument.Load(path).Descendants("member"))
            {
                if (member.Element("summary") is { } summary)
                {
                    _summaries[member.Attribute("name")!.Value] = summary;
                }
            }
        }
        catch (Exception e) when (FileFault.Is(e) || e is XmlException)
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    /// <summary>The file of an assembly: beside it, or beside the program where that is one file.</summary>
    public static string FileOf(Assembly assembly) => Path.Combine(AppContext.BaseDirectory, $"{assembly.GetName().Name}.xml");

    public string Of(Type type) => Text($"T:{type.FullName}");

    public string Of(PropertyInfo property) => Text($"P:{property.DeclaringType!.FullName}.{property.Name}");

    /// <summary>The meaning of an enumeration's value.</summary>
    public string Of(Type enumeration, string value) => Text($"F:{enumeration.FullName}.{value}");

    private string Text(string member)
    {
        var text = new StringBuilder();
        foreach (XNode node in _summaries.TryGetValue(member, out XElement? summary) ? summary.Nodes() : [])
        {
            text.Append(node switch
            {
                XText plain => plain.Value,
                XElement { Name.LocalName: "see" } see => Name(see.Attribute("cref")?.Value ?? see.Attribute("langword")?.Value ?? ""),
                XElement element => element.Value,
                _ => "",
            });
        }

        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    // Keys are written as in a configuration.
    private static string Name(string reference)
    {
        string name = reference[(reference.LastIndexOf('.') + 1)..];
        return reference.StartsWith("P:", StringComparison.Ordinal) ? JsonNamingPolicy.CamelCase.ConvertName(name)
            : reference.StartsWith("F:", StringComparison.Ordinal) ? JsonNamingPolicy.KebabCaseLower.ConvertName(name)
            : name;
    }
}
