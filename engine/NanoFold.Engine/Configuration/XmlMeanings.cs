using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// What the documentation of types, properties and choices says: read from the XML files that the compiler writes beside assemblies. Records from outside of
/// this repository are documented in the file beside theirs; without it they have no meaning, which is no fault.
/// </summary>
internal sealed class XmlMeanings
{
    private readonly Dictionary<Assembly, Dictionary<string, XElement>> _summaries = [];

    /// <param name="assembly">Whose file must be there.</param>
    /// <exception cref="UserException">It is not there, or is damaged.</exception>
    public XmlMeanings(Assembly assembly) => _summaries.Add(assembly, Read(FileOf(assembly)));

    public string Of(Type type) => Text(type, $"T:{Name(type)}");

    public string Of(PropertyInfo property) => Text(property.DeclaringType!, $"P:{Name(property.DeclaringType!)}.{property.Name}");

    /// <summary>The meaning of an enumeration's value.</summary>
    public string Of(Type enumeration, string value) => Text(enumeration, $"F:{Name(enumeration)}.{value}");

    // Beside the assembly, or beside the program where that is one file.
    private static string FileOf(Assembly assembly) => Path.Combine(AppContext.BaseDirectory, $"{assembly.GetName().Name}.xml");

    private static Dictionary<string, XElement> Read(string path)
    {
        try
        {
            var summaries = new Dictionary<string, XElement>();
            foreach (XElement member in XDocument.Load(path).Descendants("member"))
            {
                if (member.Element("summary") is { } summary)
                {
                    summaries[member.Attribute("name")!.Value] = summary;
                }
            }

            return summaries;
        }
        catch (Exception e) when (FileFault.Is(e) || e is XmlException)
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    // A nested type's name has a dot there, and a generic one stands as it was declared.
    private static string Name(Type type) => (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '.');

    private string Text(Type type, string member)
    {
        if (!_summaries.TryGetValue(type.Assembly, out Dictionary<string, XElement>? summaries))
        {
            string file = FileOf(type.Assembly);
            _summaries.Add(type.Assembly, summaries = File.Exists(file) ? Read(file) : []);
        }

        var text = new StringBuilder();
        foreach (XNode node in summaries.TryGetValue(member, out XElement? summary) ? summary.Nodes() : [])
        {
            text.Append(node switch
            {
                XText plain => plain.Value,
                XElement { Name.LocalName: "see" } see => Key(see.Attribute("cref")?.Value ?? see.Attribute("langword")?.Value ?? ""),
                XElement element => element.Value,
                _ => "",
            });
        }

        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    // Keys are written as in a configuration.
    private static string Key(string reference)
    {
        string name = reference[(reference.LastIndexOf('.') + 1)..];
        return reference.StartsWith("P:", StringComparison.Ordinal) ? JsonNamingPolicy.CamelCase.ConvertName(name)
            : reference.StartsWith("F:", StringComparison.Ordinal) ? JsonNamingPolicy.KebabCaseLower.ConvertName(name)
            : name;
    }
}
